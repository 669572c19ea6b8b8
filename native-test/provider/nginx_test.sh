#!/bin/bash
# Stock NGINX with references, without any service: the fake client signs in the worker.
. "$(dirname "$0")/setup.sh"
NGINX=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "1..0 # skip: no nginx"; exit 0; }
cat {rsa,p256,ed25519,genuine}.crt >all.crt
cat rsa.crt rsa.ref >both.pem
echo secret >passwords

free_port() { # sets PORT to another port that nobody listens on now
    while :; do
        PORT=$((PORT + 1))
        (: </dev/tcp/127.0.0.1/$PORT) 2>/dev/null || return 0
    done
}

PORT=$((20000 + RANDOM % 12000))
for name in RSA_AND_EC GENUINE ED25519 COMBINED VARIABLE; do free_port && declare $name=$PORT; done

cat >nginx.conf <<END
daemon off;
master_process on;
worker_processes 1;
pid $WORK/nginx.pid;
error_log $WORK/error.log info;
$([ "$(id -u)" = 0 ] && echo "user root;")
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $WORK/t1; proxy_temp_path $WORK/t2; fastcgi_temp_path $WORK/t3; uwsgi_temp_path $WORK/t4; scgi_temp_path $WORK/t5;
    ssl_protocols TLSv1.2 TLSv1.3;
    map \$ssl_server_name \$key { default $WORK/rsa.ref; }
    server {
        listen 127.0.0.1:$RSA_AND_EC ssl;
        ssl_certificate $WORK/rsa.crt;
        ssl_certificate_key $WORK/rsa.ref;
        ssl_certificate $WORK/p256.crt;
        ssl_certificate_key $WORK/p256.ref;
        ssl_password_file $WORK/passwords;
        return 200 "two keys";
    }
    server {
        listen 127.0.0.1:$GENUINE ssl;
        ssl_certificate $WORK/genuine.crt;
        ssl_certificate_key $WORK/genuine.key;
        return 200 "genuine";
    }
    server {
        listen 127.0.0.1:$ED25519 ssl;
        ssl_certificate $WORK/ed25519.crt;
        ssl_certificate_key $WORK/ed25519.ref;
        return 200 "ed25519";
    }
    server {
        listen 127.0.0.1:$COMBINED ssl;
        ssl_certificate $WORK/both.pem;
        ssl_certificate_key $WORK/both.pem;
        return 200 "combined";
    }
    server {
        listen 127.0.0.1:$VARIABLE ssl;
        ssl_certificate $WORK/rsa.crt;
        ssl_certificate_key \$key;
        return 200 "variable";
    }
}
END

nginx() { # nginx after|before|plain arguments...
    OPENSSL_CONF=$WORK/$1.cnf "$NGINX" -p "$WORK" -c nginx.conf -e "$WORK/error.log" "${@:2}"
}

start() {
    : >error.log
    # Not the function: the pid must be that of nginx.
    OPENSSL_CONF=$WORK/$1.cnf "$NGINX" -p "$WORK" -c nginx.conf -e "$WORK/error.log" >nginx.out 2>&1 &
    MASTER=$!
    PIDS+=($MASTER)
    for _ in $(seq 1000); do
        (: </dev/tcp/127.0.0.1/$VARIABLE) 2>/dev/null && return 0
        read -rt 0.02 <> <(:)
    done
    cat error.log nginx.out
    return 1
}

stop() {
    kill -QUIT $MASTER
    wait $MASTER 2>/dev/null
}

fetches() { # PORT WORDS s_client arguments...
    local port=$1 words=$2
    shift 2
    printf 'GET / HTTP/1.0\r\n\r\n' | OPENSSL_CONF=$WORK/plain.cnf timeout 20 openssl s_client -connect 127.0.0.1:$port -CAfile all.crt \
        -verify_return_error -ign_eof "$@" >page 2>&1
    grep -q "$words" page && grep -q 'HTTP/1.1 200' page || { cat page error.log; return 1; }
}

fetches_everything() { # ORDER
    local version
    for version in tls1_2 tls1_3; do
        it "$1 default: $version: RSA of two" fetches $RSA_AND_EC "two keys" -$version -sigalgs RSA-PSS+SHA256
        it "$1 default: $version: EC of two" fetches $RSA_AND_EC "two keys" -$version -sigalgs ECDSA+SHA256
        it "$1 default: $version: a genuine key beside" fetches $GENUINE genuine -$version
        it "$1 default: $version: a genuine key beside, ECDHE on P-256" fetches $GENUINE genuine -$version -groups P-256
        it "$1 default: $version: Ed25519" fetches $ED25519 ed25519 -$version
        it "$1 default: $version: certificate and reference in one file" fetches $COMBINED combined -$version
        it "$1 default: $version: a reference named by a variable" fetches $VARIABLE variable -$version
    done
    it "$1 default: TLS 1.2 with PKCS#1" fetches $RSA_AND_EC "two keys" -tls1_2 -sigalgs RSA+SHA256
}

for order in after before; do
    it "$order default: nginx -t" nginx $order -t
    start $order || { it "$order default: nginx starts" false; continue; }
    fetches_everything $order
    kill -HUP $MASTER
    it "$order default: after a reload" fetches $RSA_AND_EC "two keys"
    stop
    it "$order default: no alert and no error in the log" bash -c "! grep -E '\[(alert|crit|error|emerg)\]' $WORK/error.log"
done

it "without the provider nginx -t fails" fails_saying "cannot load certificate key" nginx plain -t
export SIGNET_FAKE_FAIL=unreachable
start after
it "with the service down a handshake fails" bash -c "! timeout 20 openssl s_client -connect 127.0.0.1:$RSA_AND_EC </dev/null >/dev/null 2>&1"
it "the error log says why" says error.log 'signing service unreachable.*key "www-.*unreachable: /run/fake.sock'
it "a genuine key serves all the same" fetches $GENUINE genuine
stop
export SIGNET_FAKE_FAIL=
it "nginx -t needs no service" nginx after -t

finish
