# Stream, mail, HTTP/2, a regex server name under PCRE's JIT, certificates by variable and by data:, an upstream that wants a client
# certificate, resumption, early data and stapling. Each is made four times at once; the token takes 600 ms, so four that waited for
# each other would take 2.4 s.
source "$(dirname "$0")/lib.sh"

token_us=600000
# Four at once on a loaded machine.
at_once_ms=2200

modules() {
  # Where this nginx has its dynamic modules.
  local path
  path=$(PATH="$PATH:/usr/sbin" nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
  printf 'load_module %s/%s.so;\n' "$path" ngx_stream_module "$path" ngx_mail_module
}

# Long enough that its JIT code works through many alternatives.
long_regex() {
  printf '~^(?<word>(?:'
  printf 'x%d[a-z]*[0-9]+|' $(seq 200)
  printf '[a-z]+))(?:\\d{0,3})\\.(?:signet|other)\\.test$'
}

all_kinds_conf() {
  local dir=$1
  mapfile -t port < <(free_ports 8)
  cat >"$dir/nginx.conf" <<CONF
$( ((EUID == 0)) && echo "user $(id -un) $(id -gn);")
daemon off;
worker_processes 1;
pcre_jit on;
pid $dir/nginx.pid;
error_log $dir/error.log info;
env OPENSSL_CONF;
env LD_PRELOAD;
$(modules)
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $dir/web/tmp; proxy_temp_path $dir/web/tmp; fastcgi_temp_path $dir/web/tmp;
  uwsgi_temp_path $dir/web/tmp; scgi_temp_path $dir/web/tmp;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate $dir/web/ec.crt;
  ssl_certificate_key $dir/web/ec.key;
$(nginx_server "$dir" ec)
$(nginx_server "$dir" rsa)
  map \$ssl_server_name \$kind { ~^(?<first>[a-z]+)\. \$first; }
  map \$ssl_server_name \$certificate { default "$(cat "$dir/web/ec.crt")"; }
  map \$ssl_server_name \$reference { default "$(cat "$dir/web/ec.key")"; }
  server { listen 127.0.0.1:${port[0]} ssl http2; return 200 "\$server_protocol\n"; }
  server {
    listen 127.0.0.1:${port[1]} ssl;
    server_name "$(long_regex)";
    ssl_certificate $dir/web/\$kind.crt;
    ssl_certificate_key $dir/web/\$kind.key;
    return 200 "variable \$kind\n";
  }
  server {
    listen 127.0.0.1:${port[2]} ssl;
    ssl_certificate data:\$certificate;
    ssl_certificate_key data:\$reference;
    return 200 "data\n";
  }
  upstream behind { server 127.0.0.1:${port[4]}; keepalive 4; }
  server {
    listen 127.0.0.1:${port[3]};
    location / {
      proxy_pass https://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_ssl_certificate $dir/web/rsa.crt;
      proxy_ssl_certificate_key $dir/web/rsa.key;
      proxy_ssl_session_reuse off;
    }
  }
  server {
    listen 127.0.0.1:${port[4]} ssl;
    ssl_certificate $dir/web/plain.crt;
    ssl_certificate_key $dir/web/plain.key;
    ssl_verify_client on;
    ssl_client_certificate $dir/web/ca.crt;
    ssl_session_tickets off;
    keepalive_timeout 0;
    return 200 "client \$ssl_client_s_dn \$ssl_client_verify\n";
  }
  server {
    listen 127.0.0.1:${port[5]} ssl;
    ssl_early_data on;
    ssl_stapling on;
    ssl_stapling_file $dir/web/ocsp.der;
    return 200 "early \$ssl_early_data \$ssl_session_reused\n";
  }
}
stream {
  server {
    listen 127.0.0.1:${port[6]} ssl;
    ssl_certificate $dir/web/ec.crt;
    ssl_certificate_key $dir/web/ec.key;
    return "stream\n";
  }
}
mail {
  server_name mail.signet.test;
  auth_http 127.0.0.1:1;
  server {
    listen 127.0.0.1:${port[7]} ssl;
    protocol imap;
    ssl_certificate $dir/web/rsa.crt;
    ssl_certificate_key $dir/web/rsa.key;
  }
}
CONF
}

nginx_conf() {
  all_kinds_conf "$@"
}

# A response of an OCSP responder of its own; NGINX hands out what it is given.
given_a_stapled_response() {
  (
    cd "$dir/web"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=plain -days 2 -keyout plain.key -out plain.crt
    printf 'V\t400101000000Z\t\t01\tunknown\t/CN=x\n' >index.txt
    openssl ocsp -issuer plain.crt -serial 1 -reqout request.der
    openssl ocsp -index index.txt -CA plain.crt -rsigner plain.crt -rkey plain.key -reqin request.der -respout ocsp.der -ndays 2
  ) >>"$dir/site.log" 2>&1
}

# four_times NAME WANTED COMMAND… : each prints what is wanted, and they did not wait for each other.
four_times() {
  local name=$1 wanted=$2 begun ms pids=() pid number
  shift 2
  begun=$(now_ms)
  for number in 1 2 3 4; do
    "$@" >"$dir/answer.$number" 2>&1 </dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  ms=$(($(now_ms) - begun))
  for number in 1 2 3 4; do
    grep -q "$wanted" "$dir/answer.$number" || give_up "$name: expected $wanted; it says:" "$(tail -n 15 "$dir/answer.$number")"
  done
  echo "$name: $ms ms"
  ((ms <= at_once_ms)) || give_up "$name: four handshakes waited for each other"
}

page() {
  local port=$1 host=$2
  shift 2
  curl --silent --show-error --max-time $fetch_limit_s --cacert "$dir/web/ca.crt" --resolve "$host:$port:127.0.0.1" "$@" \
    "https://$host:$port/"
}

# Speaks TLS, says what is in the file `request`, and prints what comes until the other side closes.
talk() {
  local port=$1
  shift
  timeout 10 openssl s_client -quiet -connect "127.0.0.1:$port" -CAfile "$dir/web/ca.crt" "$@" <"$dir/request" || true
}

talk_imap() {
  timeout 10 openssl s_client -quiet -connect "127.0.0.1:${port[7]}" -CAfile "$dir/web/ca.crt" <"$dir/logout" || true
}

given_a_site
given_a_slow_token $token_us 4
given_patient_clients
sed -i 's/uses: \[tls13-server, tls12-server\]/uses: [tls13-server, tls12-server, tls13-client, tls12-client]/' "$dir/signet.yaml"
given_a_stapled_response
given_a_service
given_a_whole_pool 2
given_nginx
printf 'GET / HTTP/1.1\r\nHost: ec.signet.test\r\nConnection: close\r\n\r\n' >"$dir/request"

for version in 1.2 1.3; do
  only=(--tlsv$version --tls-max $version)
  four_times "TLS $version, P-256" 'Hello from' page "$https_port" ec.signet.test "${only[@]}"
  four_times "TLS $version, RSA, chosen by SNI" 'The rsa key' page "$https_port" rsa.signet.test "${only[@]}"
  four_times "TLS $version, HTTP/2" 'HTTP/2' page "${port[0]}" ec.signet.test --http2 "${only[@]}"
  four_times "TLS $version, regex name and variable certificate" 'variable rsa' page "${port[1]}" rsa.signet.test "${only[@]}"
  four_times "TLS $version, data:" data page "${port[2]}" ec.signet.test "${only[@]}"
done
four_times 'client certificate to an upstream' 'CN=rsa.signet.test SUCCESS' \
  curl --silent --show-error --max-time $fetch_limit_s "http://127.0.0.1:${port[3]}/"
four_times 'stream' stream talk "${port[6]}"
printf 'a LOGOUT\r\n' >"$dir/logout"
four_times 'mail' 'IMAP4 ready' talk_imap
four_times 'stapling' 'OCSP Response Status: successful' \
  openssl s_client -status -connect "127.0.0.1:${port[5]}" -CAfile "$dir/web/ca.crt"

# The first leaves a ticket; the second needs no signature, so it is there before the token could have answered.
for version in 2 3; do
  talk "${port[5]}" -tls1_$version -sess_out "$dir/session" >/dev/null 2>&1
  four_times "resumption, TLS 1.$version" 'early.*r$' talk "${port[5]}" -tls1_$version -sess_in "$dir/session"
done
talk "${port[5]}" -tls1_3 -sess_out "$dir/session" >/dev/null 2>&1
four_times 'early data' 'early' talk "${port[5]}" -tls1_3 -sess_in "$dir/session" -early_data "$dir/request"
# Refused: of a session that this server does not know, so the whole handshake with its signature runs in SSL_read_early_data.
reload_nginx
four_times 'early data that is refused' 'early' talk "${port[5]}" -tls1_3 -sess_in "$dir/session" -early_data "$dir/request"
then_no_worker_came_to_harm
