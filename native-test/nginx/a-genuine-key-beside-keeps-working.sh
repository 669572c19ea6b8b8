# On another port of the same NGINX, in the default provider, whether the service lives or not.
source "$(dirname "$0")/lib.sh"

genuine_server() {
  local kind=$1 port=$2
  shift 2
  OPENSSL_CONF="$dir/openssl.cnf" openssl req -x509 -newkey "$@" -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -days 2 -keyout "$dir/web/genuine-$kind.key" -out "$dir/web/genuine-$kind.crt" 2>>"$dir/site.log"
  cat >"$dir/web/genuine-$kind.server" <<CONF
  server {
    listen 127.0.0.1:$port ssl;
    ssl_certificate $dir/web/genuine-$kind.crt;
    ssl_certificate_key $dir/web/genuine-$kind.key;
    location / { return 200 "genuine $kind\n"; }
  }
CONF
}

then_genuine_pages_come() {
  local kind version
  for kind in rsa ec; do
    for version in 1.2 1.3; do
      curl --silent --show-error --max-time $fetch_limit_s --tlsv$version --tls-max $version --cacert "$dir/web/genuine-$kind.crt" \
        "https://localhost:${genuine_port[$kind]}/" | grep -q "genuine $kind" || give_up "no page with the genuine $kind key"
    done
  done
}

given_a_site
mapfile -t ports < <(free_ports 2)
declare -A genuine_port=([rsa]=${ports[0]} [ec]=${ports[1]})
genuine_server rsa "${genuine_port[rsa]}" rsa:2048
genuine_server ec "${genuine_port[ec]}" ec -pkeyopt ec_paramgen_curve:P-256
given_nginx
then_genuine_pages_come
given_a_service
then_pages_come
then_genuine_pages_come
