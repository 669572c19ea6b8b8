# What the shell tests of the engine begin with: the site of the NGINX tests with a P-384 and an Ed25519 key besides, whose web
# servers may sign TLS 1.2 and 1.3 and CSRs and nothing else, an openssl.cnf with the engine, and `it`. Sourced by *_test.sh.
source "$(dirname "${BASH_SOURCE[0]}")/../pkcs11/site.sh"
engine="$root/build/native/engines/signet.so"

# The tests of one run share the making of the site (SIGNET_ENGINE_SITE).
given_a_site_for_the_engine() {
  local kept="${SIGNET_ENGINE_SITE:-}"
  if [[ -n "$kept" && -d "$kept/site" ]]; then
    cp -a "$kept/site/." "$dir/"
    sed -i "s|$(cat "$kept/from")|$dir|g" "$dir"/{signet.yaml,softhsm2.conf}
  else
    make_a_site_for_the_engine
    if [[ -n "$kept" ]]; then cp -a "$dir" "$kept/site" && echo "$dir" >"$kept/from"; fi
  fi
  https_port=$(free_ports 1)
  engine_conf >"$dir/openssl.cnf"
  printf '[req]\ndistinguished_name = dn\n[dn]\n' >"$dir/plain.cnf"
}

# No use of "digest": what is signed here was sent whole, or is refused.
make_a_site_for_the_engine() {
  given_a_site
  sed -i 's/uses: \[tls13-server, tls12-server\]/uses: [tls13-server, tls12-server, csr]/' "$dir/signet.yaml"
  grep -q 'tls12-server, csr\]' "$dir/signet.yaml" || give_up "the site grants no CSR"
  make_key p384 && make_key ed25519
}

# As docs/engine.md has it.
engine_conf() {
  cat <<CONF
openssl_conf = openssl_init

[openssl_init]
engines = engine_section

[engine_section]
signet = signet_section

[signet_section]
engine_id = signet
dynamic_path = $engine
SOCKETS = $dir/run/web.sock
CATALOGUE = $dir/run/catalogue
TIMEOUT_MS = ${timeout_ms:-10000}
init = 1

[req]
distinguished_name = dn
[dn]
CONF
}

# A service that is gone left its catalogue behind: it is read, not asked.
given_a_service_once() {
  given_a_service
  stop "$service_pid" KILL
  [[ -s "$dir/run/catalogue" ]] || give_up "the service left no catalogue"
}
