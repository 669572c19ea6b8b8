#!/usr/bin/env bash
# Stock NGINX with `ssl_certificate_key engine:signet:…`.
source "$(dirname "$0")/site.sh"

main() {
  given_a_site_for_the_engine
  it "before the service ever ran nginx -t says that there is no catalogue" fails_saying "No such file or directory; the service writes it" \
    nginx_test
  rm "$dir/error.log"
  given_a_service_once
  it "with the service down nginx starts" nginx_starts
  nginx_pid=$(cat "$dir/nginx.pid")
  started+=("$nginx_pid")
  wait_until $site_patience_s "NGINX's workers" workers_are_there
  it "and its handshakes fail within the deadline" then_a_handshake_fails_within $((deadline_ms + slack_ms))
  it "the error log says which key, and why" then_the_error_log_says 'signing service unreachable:signet: key "www-ec"' 'cannot connect'
  given_a_service
  it "with the service up, and no reload, P-256 and RSA serve TLS 1.2 and 1.3, by label and by id" then_pages_come
  # No worker has ended yet, of which the master would still have some.
  descriptors=$(master_descriptors)
  it "so do P-384 and Ed25519, by a URI and by a plain label" more_pages_come
  it "so does a key that a variable names" page_of variable.signet.test --tlsv1.3
  it "the service saw TLS messages only, and each of them whole" then_all_was_whole_messages
  it "a reload loads the keys again" reload_nginx
  it "and pages come" then_pages_come
  it "ten reloads leave no descriptor and hardly any memory behind" ten_reloads_leak_nothing
  it "signet config nginx --engine prints what NGINX takes" printed_configuration_works
  stop "$nginx_pid" QUIT
  it "nothing is to be remarked on in the log" then_nothing_is_wrong
  sed -i 's/label_www-ec/label_www-nobody/' "$dir/nginx.conf"
  it "an unknown name is told by nginx -t" fails_saying 'the catalogue has no key "label_www-nobody" among its 5' nginx_reads_its_configuration
  finish
}

# As site.sh has it, but for the keys.
nginx_server() {
  local dir=$1 kind=$2
  if [[ $kind == ec ]]; then
    server_of "$dir" ec label_www-ec
    server_of "$dir" p384 'pkcs11:object=www-p384;type=private'
    server_of "$dir" ed25519 www-ed25519
    echo 'map $ssl_server_name $by_name { default engine:signet:label_www-ec; }'
    server_of "$dir" ec variable variable.signet.test '$by_name'
  else
    server_of "$dir" rsa "$(id_of rsa)"
  fi
}

# server_of DIR KIND NAME [HOST [KEY]]
server_of() {
  cat <<CONF
  server {
    listen 127.0.0.1:$https_port ssl;
    server_name ${4:-$2.signet.test};
    ssl_certificate $1/web/$2.crt;
    ssl_certificate_key "${5:-engine:signet:$3}";
    location / { return 200 "$2\n"; }
  }
CONF
}

id_of() {
  local id
  id=$(signet "$dir" keys list | sed -n "s/^www-$1 .* id:\([0-9a-f]*\).*/\1/p")
  [[ -n "$id" ]] || give_up "the key www-$1 has no id"
  echo "id_$id"
}

nginx_test() {
  nginx_conf "$dir"
  nginx_reads_its_configuration
}

nginx_reads_its_configuration() {
  (nginx_run "$dir" -t)
}

nginx_starts() {
  nginx_start "$dir"
}

error_log_says() {
  local word lines
  lines=$(cat "$dir/error.log")
  for word in "$@"; do
    lines=$(grep -F -- "$word" <<<"$lines") || return 1
  done
}

page_of() {
  local host=$1
  shift
  curl --silent --show-error --max-time $fetch_limit_s --insecure --resolve "$host:$https_port:127.0.0.1" "$@" -o /dev/null \
    "https://$host:$https_port/"
}

more_pages_come() {
  local kind version
  for kind in p384 ed25519; do
    for version in 1.2 1.3; do fetch "$dir" $kind.signet.test --tlsv$version --tls-max $version -o /dev/null; done
  done
}

then_all_was_whole_messages() {
  grep -q '"use":"tls13-server"' "$dir/audit.log" && grep -q '"use":"tls12-server"' "$dir/audit.log" &&
    ! grep -q '"use":"digest"' "$dir/audit.log"
}

# The first ones fill caches of libcrypto and NGINX.
ten_reloads_leak_nothing() {
  local memory_kb
  reload_times 5
  memory_kb=$(resident_kb)
  reload_times 10
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

# In a folder of its own, with its own NGINX.
printed_configuration_works() {
  local part own="$dir/printed"
  mkdir -p "$own/web/tmp"
  for part in openssl server; do
    signet "$dir" config nginx --engine label_www-ec --certificate "$dir/web/ec.crt" --name ec.signet.test --port "$https_port" \
      --part $part >"$own/$part"
  done
  mv "$own/openssl" "$own/openssl.cnf"
  mv "$own/server" "$own/web/printed.server"
  nginx_server() { :; }
  nginx_conf "$own"
  nginx_run "$own" -t
}

then_nothing_is_wrong() {
  ! grep -E '\[(alert|emerg)\]|exited on signal|stale global SSL error' "$dir/error.log"
}

main
