#!/usr/bin/env bash
# Commands of openssl with `-engine signet -keyform engine`; the engine is found in the folder of engines, without an openssl.cnf.
source "$(dirname "$0")/site.sh"

main() {
  local kind version
  given_a_site_for_the_engine
  given_a_service
  export OPENSSL_ENGINES="${engine%/*}" OPENSSL_CONF="$dir/plain.cnf"
  export SIGNET_SOCKETS="$dir/run/web.sock" SIGNET_CATALOGUE="$dir/run/catalogue"
  it "openssl engine says what may be set" says_what_may_be_set
  for kind in ec rsa p384 ed25519; do
    it "openssl req makes a CSR, which is a message of its own: $kind" makes_csr $kind
    it "openssl pkey gives the public key: $kind" gives_public_key $kind
  done
  it "openssl dgst is refused, for it signs anything" fails_saying 'signature refused by policy' signs ec sha256
  for kind in ec rsa p384 ed25519; do
    for version in tls1_2 tls1_3; do it "openssl s_server: $version: $kind" serves $kind $version; done
  done
  sed -i 's/tls12-server, csr\]/tls12-server, csr, digest, tls13-client, tls12-client]/' "$dir/signet.yaml"
  signet "$dir" reload >"$dir/reload.log" || give_up "$(cat "$dir/reload.log")"
  it "openssl dgst signs where digests are granted: P-256" signs ec sha256
  it "openssl dgst signs where digests are granted: RSA" signs rsa sha512
  it "openssl dgst signs where digests are granted: P-384" signs p384 sha384
  it "openssl dgst -sigopt rsa_padding_mode:pss" signs_pss
  it "openssl dgst refuses a digest that the curve has no scheme for" fails_saying 'a P-384 key signs with SHA-384' signs p384 sha256
  it "openssl cms signs: P-256" signs_cms ec
  it "openssl cms signs: RSA" signs_cms rsa
  it "openssl s_client proves itself: TLS 1.2" proves_itself tls1_2
  it "openssl s_client proves itself: TLS 1.3" proves_itself tls1_3
  it "an unknown name is told" fails_saying 'the catalogue has no key "label_nobody"' openssl pkey -engine signet -inform engine \
    -in label_nobody -pubout
  finish
}

says_what_may_be_set() {
  openssl engine -vv signet | tee "$dir/list"
  [[ "$(grep -oE '\b(SOCKETS|CATALOGUE|TIMEOUT_MS)\b' "$dir/list" | sort -u | wc -l)" == 3 ]]
}

makes_csr() {
  local digest=()
  # OpenSSL's own choice for every EC key of an engine is SHA-256.
  if [[ $1 == p384 ]]; then digest=(-sha384); fi
  openssl req -engine signet -keyform engine -new -subj "/CN=$1" -key "label_www-$1" "${digest[@]}" -out "$dir/$1.csr"
  openssl req -in "$dir/$1.csr" -noout -verify
  openssl req -in "$dir/$1.csr" -noout -pubkey | cmp - <(public_key "$1")
}

public_key() {
  openssl x509 -in "$dir/web/$1.crt" -noout -pubkey
}

gives_public_key() {
  openssl pkey -engine signet -inform engine -in "label_www-$1" -pubout | cmp - <(public_key "$1")
}

signs() {
  echo "what is signed" >"$dir/message"
  openssl dgst -engine signet -keyform engine -sign "label_www-$1" "-$2" -out "$dir/made" "$dir/message"
  openssl dgst -verify <(public_key "$1") "-$2" -signature "$dir/made" "$dir/message"
}

signs_pss() {
  echo "what is signed" >"$dir/message"
  openssl dgst -engine signet -keyform engine -sign label_www-rsa -sha256 -sigopt rsa_padding_mode:pss -out "$dir/made" "$dir/message"
  openssl dgst -verify <(public_key rsa) -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -signature "$dir/made" \
    "$dir/message"
}

signs_cms() {
  echo "what is signed" >"$dir/message"
  openssl cms -engine signet -keyform engine -sign -in "$dir/message" -signer "$dir/web/$1.crt" -inkey "label_www-$1" -md sha256 -nodetach -out "$dir/cms"
  openssl cms -verify -in "$dir/cms" -CAfile "$dir/web/ca.crt" -purpose any -out "$dir/verified"
}

# s_server says on which port it listens.
serves() {
  server -engine signet -keyform engine -key "label_www-$1" -cert "$dir/web/$1.crt" "-$2"
  greets "-$2" -servername "$1.signet.test" -verify_hostname "$1.signet.test"
}

proves_itself() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=own -days 2 -keyout "$dir/own.key" -out "$dir/own.crt" 2>/dev/null
  server -key "$dir/own.key" -cert "$dir/own.crt" -CAfile "$dir/web/ca.crt" -Verify 1 -verify_return_error "-$1"
  greets "-$1" -CAfile "$dir/own.crt" -engine signet -keyform engine -key label_www-ec -cert "$dir/web/ec.crt"
}

server() {
  : >"$dir/server.log"
  openssl s_server -accept 127.0.0.1:0 -www "$@" >"$dir/server.log" 2>&1 &
  server_pid=$!
  trap 'stop "$server_pid"' EXIT
  wait_until $site_patience_s "openssl s_server" server_listens || { cat "$dir/server.log"; return 1; }
}

server_listens() {
  kill -0 "$server_pid" || give_up "$(cat "$dir/server.log")"
  port=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\).*/\1/p' "$dir/server.log") && [[ -n "$port" ]]
}

# A page comes, so both sides are content.
greets() {
  printf 'GET / HTTP/1.0\r\n\r\n' | timeout $site_patience_s openssl s_client -connect "127.0.0.1:$port" -CAfile "$dir/web/ca.crt" \
    -verify_return_error -ign_eof "$@" >"$dir/client.log" 2>&1
  grep -q 'HTTP/1.0 200' "$dir/client.log" || { cat "$dir/client.log" "$dir/server.log"; return 1; }
}

main
