# What the shell tests of the PKCS#11 module begin with: the site of the NGINX tests with a key of every kind, its service, and
# `it`. Sourced by *_test.sh.
source "$(dirname "${BASH_SOURCE[0]}")/../nginx/lib.sh"
module="$root/build/native/signet-pkcs11.so"
passed=0
failed=0

# it WHAT CMD…: one test. CMD runs in a subshell, so that what it breaks stays there.
it() {
  local name=$1
  shift
  if (set -e; "$@") >"$dir/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok $((passed + failed)) - $name"
  else
    failed=$((failed + 1))
    echo "not ok $((passed + failed)) - $name"
    tail -n 20 "$dir/out" | sed 's/^/# /'
  fi
}

# fails_saying WORDS CMD…: it fails and says so.
fails_saying() {
  local words=$1
  shift
  if "$@" >"$dir/said" 2>&1; then
    echo "it worked"
    return 1
  fi
  grep -qF -- "$words" "$dir/said" || { echo "expected: $words; came:"; cat "$dir/said"; return 1; }
}

finish() {
  echo "1..$((passed + failed))"
  ((failed == 0))
}

# The programs of these tests see digests only, which must be granted by name.
given_a_site_of_all_kinds() {
  local kept="${SIGNET_PKCS11_SITE:-}"
  if [[ -n "$kept" && -d "$kept/site" ]]; then
    cp -a "$kept/site/." "$dir/"
    sed -i "s|$(cat "$kept/from")|$dir|g" "$dir"/{signet.yaml,softhsm2.conf,openssl.cnf}
  else
    make_a_site_of_all_kinds
    if [[ -n "$kept" ]]; then cp -a "$dir" "$kept/site" && echo "$dir" >"$kept/from"; fi
  fi
  https_port=$(free_ports 1)
  export SIGNET_CATALOGUE="$dir/run/catalogue" SIGNET_SOCKETS="$dir/run/web.sock" SIGNET_PKCS11_LOG=stderr
  export SIGNET_TIMEOUT_MS=10000
}

make_a_site_of_all_kinds() {
  local kind
  given_a_site
  sed -i 's/uses: \[tls13-server, tls12-server\]/uses: [tls13-server, tls12-server, digest]/' "$dir/signet.yaml"
  grep -q 'tls12-server, digest\]' "$dir/signet.yaml" || give_up "the site grants no digest"
  make_key p384 && make_key p521 && make_key ed25519
  mkdir "$dir/pub"
  for kind in ec rsa p384 p521 ed25519; do openssl x509 -in "$dir/web/$kind.crt" -noout -pubkey >"$dir/pub/$kind.pem"; done
}

make_key() {
  signet "$dir" keys generate --type "$1" --label "www-$1" >>"$dir/site.log" 2>&1
  signet "$dir" certs issue --ca ca --key "www-$1" --subject "CN=$1.signet.test" --dns "$1.signet.test" \
    --out "$dir/web/$1.crt" >>"$dir/site.log" 2>&1
}

# openssl.cnf as the guides for NGINX with a KMS have it.
engine_conf() {
  cat >"$dir/engine.cnf" <<CONF
openssl_conf = openssl_init

[openssl_init]
engines = engine_section

[engine_section]
pkcs11 = pkcs11_section

[pkcs11_section]
engine_id = pkcs11
dynamic_path = $(openssl version -e | sed 's/.*"\(.*\)"/\1/')/pkcs11.so
MODULE_PATH = $module
PIN = 1234
init = 1

[req]
distinguished_name = dn
[dn]
CONF
}
