#!/usr/bin/env bash
# Stock NGINX with libp11's engine, configured as the published guides for key management services do.
source "$(dirname "$0")/site.sh"

main() {
  given_a_site_of_all_kinds
  engine_conf
  cp "$dir/engine.cnf" "$dir/openssl.cnf"
  given_a_service
  given_nginx
  it "engine:pkcs11:label_… serves RSA and EC over TLS 1.2 and 1.3" then_pages_come
  # No worker has ended yet, of which the master would still have some.
  descriptors=$(master_descriptors)
  reload_nginx
  it "so it does after a reload" then_pages_come
  it "twenty reloads leave no descriptor and hardly any memory behind" twenty_reloads_leak_nothing
  restart_the_service
  it "after a restart of the service it works without a reload" then_pages_come
  stop "$service_pid" KILL
  it "with the service killed a handshake fails" fails page_comes
  it "the error log says why" then_the_error_log_says "signet-pkcs11: no signature with the key \"www-ec\"" "cannot connect"
  it "nginx -t needs no service" nginx_run "$dir" -t
  finish
}

# As site.sh has it, but for the key.
nginx_server() {
  local dir=$1 kind=$2
  cat <<CONF
  server {
    listen 127.0.0.1:$https_port ssl;
    server_name $kind.signet.test;
    ssl_certificate $dir/web/$kind.crt;
    ssl_certificate_key "engine:pkcs11:label_www-$kind";
    location / { return 200 "$kind\n"; }
  }
CONF
}

# The first ones fill caches of libcrypto and NGINX.
twenty_reloads_leak_nothing() {
  local memory_kb
  reload_times 5
  memory_kb=$(resident_kb)
  reload_times 20
  then_the_master_has_descriptors "$descriptors" || return 1
  echo "descriptors: $descriptors; memory: $memory_kb kB, then $(resident_kb) kB"
  (($(resident_kb) < memory_kb + 512))
}

reload_times() {
  local left
  for ((left = $1; left > 0; left--)); do reload_nginx; done
  page_comes
}

resident_kb() {
  awk '/^VmRSS:/ { print $2 }' "/proc/$nginx_pid/status"
}

restart_the_service() {
  stop "$service_pid"
  given_a_service
}

fails() {
  ! "$@"
}

error_log_says() {
  local word lines
  lines=$(cat "$dir/error.log" "$dir/nginx.out")
  for word in "$@"; do
    lines=$(grep -F -- "$word" <<<"$lines") || return 1
  done
}

main
