#!/bin/bash
# TLS handshakes with references: openssl s_server and s_client, server and client certificates.
. "$(dirname "$0")/setup.sh"
for kind in $KINDS genuine genuine-rsa; do cat $kind.crt; done >all.crt

# serve ORDER PORT_FILE s_server arguments...: starts a server on a free port, PORT says which
serve() {
    local order=$1 tries
    shift
    : >server.log
    OPENSSL_CONF=$WORK/$order.cnf openssl s_server -accept 127.0.0.1:0 -www "$@" >server.log 2>&1 &
    SERVER=$!
    PIDS+=($SERVER)
    for tries in $(seq 1000); do
        PORT=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\).*/\1/p' server.log)
        [ -n "$PORT" ] && return 0
        kill -0 $SERVER 2>/dev/null || break
        read -rt 0.02 <> <(:)
    done
    cat server.log
    return 1
}

stop_server() {
    kill $SERVER
    wait $SERVER 2>/dev/null
}

shakes_hands() { # words that s_client must print, then its arguments; a page comes, so both sides are content
    local words=$1
    shift
    printf 'GET / HTTP/1.0\r\n\r\n' | OPENSSL_CONF=${CLIENT_CNF:-$WORK/plain.cnf} timeout 20 openssl s_client -connect 127.0.0.1:$PORT \
        -CAfile all.crt -verify_return_error -ign_eof "$@" >client.log 2>&1
    grep -q 'HTTP/1.0 200' client.log && grep -q 'Cipher is [A-Z]' client.log && grep -q "$words" client.log && return 0
    cat client.log server.log
    return 1
}

handshake_is_told() {
    shakes_hands "" "$@"
}

handshake_fails() {
    ! shakes_hands "" "$@" >/dev/null
}

for order in after before; do
    for kind in $KINDS; do
        serve $order -key $kind.ref -cert $kind.crt || { it "$order default: $kind: the server starts" cat server.log; continue; }
        it "$order default: $kind: TLS 1.3" shakes_hands 'TLSv1.3' -tls1_3
        it "$order default: $kind: TLS 1.2" shakes_hands 'TLSv1.2' -tls1_2
        it "$order default: $kind: ECDHE on P-256" shakes_hands 'TLSv1.3' -tls1_3 -groups P-256
        stop_server
    done
    serve $order -key genuine.key -cert genuine.crt -dkey genuine-rsa.key -dcert genuine-rsa.crt
    it "$order default: genuine keys serve" shakes_hands 'TLSv1.3' -tls1_3 -groups P-256
    it "$order default: a genuine RSA key serves" shakes_hands 'TLSv1.2' -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256
    stop_server
done

serve after -key rsa.ref -cert rsa.crt -dkey p256.ref -dcert p256.crt
for scheme in rsa_pss_rsae_sha256 rsa_pss_rsae_sha384 rsa_pss_rsae_sha512 ecdsa_secp256r1_sha256; do
    it "RSA and EC side by side: TLS 1.3 with $scheme" shakes_hands 'TLSv1.3' -tls1_3 -sigalgs $scheme
done
for algorithm in RSA+SHA256 RSA+SHA384 RSA+SHA512 RSA-PSS+SHA256 ECDSA+SHA256; do
    it "RSA and EC side by side: TLS 1.2 with $algorithm" shakes_hands 'TLSv1.2' -tls1_2 -sigalgs $algorithm
done
for scheme in rsa_pss_pss_sha256 rsa_pss_pss_sha384 rsa_pss_pss_sha512; do
    it "a certificate of an RSA key is not used with $scheme" handshake_fails -tls1_3 -sigalgs $scheme
done
it "a static RSA suite is refused" handshake_fails -tls1_2 -cipher AES128-SHA
it "the server's log says so" says server.log 'no decryption and no static RSA.*static RSA key exchange is refused.*!kRSA'
it "ECDHE works beside it" shakes_hands 'Cipher is ECDHE-RSA' -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA
stop_server

serve after -key rsa.ref -cert rsa.crt -cipher 'DEFAULT:!kRSA'
it "with !kRSA, ECDHE is taken from a client that would rather have static RSA" shakes_hands 'Cipher is ECDHE-RSA' -tls1_2 -cipher AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256
it "with !kRSA, a client that has static RSA only is told in the handshake" fails_saying "handshake failure" handshake_is_told -tls1_2 -cipher AES128-SHA
stop_server

serve after -key pss.ref -cert pss.crt
for scheme in rsa_pss_pss_sha256 rsa_pss_pss_sha384 rsa_pss_pss_sha512; do
    it "an RSA-PSS key: TLS 1.3 with $scheme" shakes_hands 'Peer signature type: RSA-PSS' -tls1_3 -sigalgs $scheme
    it "an RSA-PSS key: TLS 1.2 with $scheme" shakes_hands 'Peer signature type: RSA-PSS' -tls1_2 -sigalgs $scheme
done
it "an RSA-PSS key is not used with rsa_pss_rsae_sha256" handshake_fails -tls1_3 -sigalgs rsa_pss_rsae_sha256
stop_server

serve after -key p384.ref -cert p384.crt
it "P-384 in TLS 1.2 takes SHA-384 although SHA-256 is offered first" shakes_hands 'Peer signing digest: SHA384' -tls1_2 -sigalgs ECDSA+SHA256:ECDSA+SHA384
stop_server

serve plain -key genuine.key -cert genuine.crt -Verify 1 -CAfile all.crt -verify_return_error
for kind in $KINDS; do
    for version in tls1_2 tls1_3; do
        CLIENT_CNF=$WORK/after.cnf it "$kind: client certificate in $version" shakes_hands 'Verify return code: 0' -$version -key $kind.ref -cert $kind.crt
    done
done
it "without a client certificate that server refuses" handshake_fails
stop_server

SIGNET_FAKE_FAIL=late serve after -key rsa.ref -cert rsa.crt
it "a failing service fails the handshake" handshake_fails -tls1_3
it "the server's log says why" says server.log 'signing service late.*key "www-rsa" (.*late: /run/fake.sock'
stop_server

finish
