# A site in a scratch folder, for the demo and for the tests with a real web server: a SoftHSM token with a CA, a P-256 and
# an RSA-2048 key, `signet serve`, and stock NGINX with both keys. Sourced by bash.
#
#   site_make DIR            token, keys, certificates, reference PEMs, configurations
#   service_start DIR        sets service_pid when the service serves
#   nginx_start DIR          sets nginx_pid when NGINX listens on $https_port
#   fetch DIR HOST …         curl to ec.signet.test or rsa.signet.test, verified against the site's CA
#   stop PID [SIGNAL]        and waits for its end
#   wait_until S WHAT CMD…   polls CMD, at most S seconds

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
provider="$root/build/native/signet.so"

# How long a program of the site may take to start or to end, in seconds; a busy machine is slow.
site_patience_s=20
# The whole of one page, in seconds.
fetch_limit_s=5

signet() {
  local dir=$1
  shift
  "$root/bin/signet" --config "$dir/signet.yaml" "$@"
}

site_make() {
  local dir=$1 log="$1/site.log"
  mkdir -p "$dir/web/tmp"
  site_steps "$dir" >>"$log" 2>&1 || give_up "the site could not be made; $log ends with:" "$(tail -n 5 "$log")"
  openssl_conf "$dir"
}

# Joined by &&: within a condition `set -e` is off.
site_steps() {
  local dir=$1
  "$root/bin/signet" init "$dir" &&
    signet "$dir" keys generate --type p256 --label ca &&
    signet "$dir" keys generate --type p256 --label www-ec &&
    signet "$dir" keys generate --type rsa2048 --label www-rsa &&
    signet "$dir" certs self-sign --key ca --ca --subject 'CN=Signet demo CA' --out "$dir/web/ca.crt" &&
    site_certificate "$dir" ec &&
    site_certificate "$dir" rsa
}

site_certificate() {
  local dir=$1 kind=$2
  signet "$dir" certs issue --ca ca --key "www-$kind" --subject "CN=$kind.signet.test" --dns "$kind.signet.test" \
    --out "$dir/web/$kind.crt" &&
    signet "$dir" keys export --key "www-$kind" --reference --out "$dir/web/$kind.key"
}

# The provider goes after `default`, and `default` must be activated by name once any provider is.
openssl_conf() {
  local dir=$1
  cat >"$dir/openssl.cnf" <<CONF
openssl_conf = openssl_init

[openssl_init]
providers = providers

[providers]
default = default_provider
signet = signet_provider

[default_provider]
activate = 1

[signet_provider]
module = $provider
activate = 1
sockets = ${sockets:-$dir/run/web.sock}
CONF
}

# Hosts ec.signet.test and rsa.signet.test on one port; more servers may stand in DIR/web/*.server.
nginx_conf() {
  local dir=$1 user=''
  # As root NGINX would run its workers as somebody whom the scratch folder is closed to.
  ((EUID == 0)) && user="user $(id -un) $(id -gn);"
  cat >"$dir/nginx.conf" <<CONF
$user
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log info;
env OPENSSL_CONF;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $dir/web/tmp; proxy_temp_path $dir/web/tmp; fastcgi_temp_path $dir/web/tmp;
  uwsgi_temp_path $dir/web/tmp; scgi_temp_path $dir/web/tmp;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets off;
$(nginx_server "$dir" ec)
$(nginx_server "$dir" rsa)
  include $dir/web/*.server;
}
CONF
}

nginx_server() {
  local dir=$1 kind=$2
  cat <<CONF
  server {
    listen 127.0.0.1:$https_port ssl;
    server_name $kind.signet.test;
    ssl_certificate $dir/web/$kind.crt;
    ssl_certificate_key $dir/web/$kind.key;
    location / { return 200 "Hello from NGINX. The $kind key of this page is in a token, not in this process.\n"; }
  }
CONF
}

service_start() {
  local dir=$1
  "$root/bin/signet" --config "$dir/signet.yaml" serve </dev/null >>"$dir/service.log" 2>&1 &
  service_pid=$!
  wait_until $site_patience_s "the service; see $dir/service.log" service_serves "$dir" "$service_pid"
}

# Serves, and is this process: an earlier one may still answer on the same sockets.
service_serves() {
  local status
  kill -0 "$2" 2>/dev/null || give_up "the service ended; its log ends with:" "$(tail -n 5 "$1/service.log")"
  status=$(signet "$1" status --json 2>/dev/null) && [[ "$status" == *'"serving":true'* && "$status" == *"\"pid\":$2,"* ]]
}

nginx_start() {
  local dir=$1
  https_port=${https_port:-$(free_ports 1)}
  nginx_conf "$dir"
  nginx_run "$dir" </dev/null >>"$dir/nginx.out" 2>&1 &
  nginx_pid=$!
  wait_until $site_patience_s "NGINX; see $dir/error.log" nginx_listens "$dir" "$nginx_pid"
}

# nginx with the site's configuration: `nginx_run DIR -t`, `nginx_run DIR -s reload`.
nginx_run() {
  local dir=$1
  shift
  PATH="$PATH:/usr/sbin" OPENSSL_CONF="$dir/openssl.cnf" exec_nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" "$@"
}

# In a subshell that is in the background this replaces the shell, so that $! is nginx itself.
exec_nginx() {
  if ((BASH_SUBSHELL > 0)); then exec nginx "$@"; else nginx "$@"; fi
}

# It listens before it can take a signal, and writes its pid when it can.
nginx_listens() {
  kill -0 "$2" 2>/dev/null || give_up "NGINX ended:" "$(tail -n 5 "$1/nginx.out" "$1/error.log" 2>/dev/null)"
  [[ "$(cat "$1/nginx.pid" 2>/dev/null)" == "$2" ]] || return 1
  (exec 3<>"/dev/tcp/127.0.0.1/$https_port") 2>/dev/null
}

fetch() {
  local dir=$1 host=$2
  shift 2
  curl --silent --show-error --max-time $fetch_limit_s --cacert "$dir/web/ca.crt" \
    --resolve "$host:$https_port:127.0.0.1" "$@" "https://$host:$https_port/"
}

# So many, none of them $https_port, which may be given out already though nobody listens there yet.
free_ports() {
  node -e '
    const [count, taken] = process.argv.slice(1).map(Number);
    const servers = Array.from({ length: count + 1 }, () => require("net").createServer().listen(0, "127.0.0.1"));
    setImmediate(() => {
      const ports = servers.map((server) => server.address().port).filter((port) => port !== taken);
      console.log(ports.slice(0, count).join("\n"));
      for (const server of servers) server.close();
    });
  ' "$1" "${https_port:-0}"
}

stop() {
  local pid=${1:-} signal=${2:-TERM}
  [[ -n "$pid" ]] && kill -0 "$pid" 2>/dev/null || return 0
  kill -"$signal" "$pid" 2>/dev/null || return 0
  wait_until $site_patience_s "the end of process $pid" has_ended "$pid" || kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# Ended, or a zombie that is still to be waited for.
has_ended() {
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1) || return 0
  [[ -z "$state" || "$state" == Z ]]
}

wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "waited too long for $what" >&2
      return 1
    fi
    sleep 0.02
  done
}

give_up() {
  printf '%s\n' "$@" >&2
  exit 1
}
