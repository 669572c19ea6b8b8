# The same with keys named by engine:signet: instead of a reference PEM. The token takes 1 s, so four handshakes that waited for
# each other would take 4 s.
source "$(dirname "$0")/lib.sh"

token_us=1000000
# Four at once on a loaded machine.
at_once_ms=3000
engine="$root/build/native/engines/signet.so"
[[ -e "$engine" ]] || { echo "this OpenSSL has no engines"; exit 0; }

nginx_server() {
  local dir=$1 kind=$2
  cat <<CONF
  server {
    listen 127.0.0.1:$https_port ssl;
    server_name $kind.signet.test;
    ssl_certificate $dir/web/$kind.crt;
    ssl_certificate_key engine:signet:label_www-$kind;
    location / { return 200 "$kind\n"; }
  }
CONF
}

engine_conf() {
  printf 'openssl_conf = init\n[init]\nengines = list\n[list]\nsignet = engine\n[engine]\nengine_id = signet\n'
  printf '%s\n' "dynamic_path = $engine" "SOCKETS = $dir/run/web.sock" "CATALOGUE = $dir/run/catalogue" "TIMEOUT_MS = 5000" "init = 1"
}

four_pages() {
  local pid pids=() host=$1 ok=0
  for _ in 1 2 3 4; do
    fetch "$dir" "$host" -o /dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || ok=1; done
  return $ok
}

given_a_site
given_a_slow_token $token_us 4
engine_conf >"$dir/openssl.cnf"
given_a_service
given_a_whole_pool 2
given_nginx
four_pages ec.signet.test
for host in ec.signet.test rsa.signet.test; do
  begun=$(now_ms)
  four_pages $host || give_up "no page from $host"
  ms=$(($(now_ms) - begun))
  echo "$host: four pages at once in $ms ms"
  ((ms < at_once_ms)) || give_up "expected four pages within $at_once_ms ms; they took $ms ms"
done
stop "$nginx_pid" QUIT
then_no_worker_came_to_harm
