#!/bin/bash
# Every command of openssl that takes a key, with keys of every kind in a token, through a real service: each cell is a
# signature or a handshake that plain OpenSSL verifies. Its lines read "openssl COMMAND: KIND: WAY OF NAMING".
#
#   SIGNET_TEST_MODULE    another build of the provider than build/native/signet.so
#   SIGNET_TEST_PRELOAD   a library that it needs in the program, such as a sanitizer's
source "$(dirname "${BASH_SOURCE[0]}")/../pkcs11/site.sh"

make_reference="${1:?build folder}/make_reference"
kinds='rsa rsa3072 rsa4096 pss ec p384 p521 ed25519'

# The commands see no TLS message, so the grant has `digest`, which admits anything.
given_a_site_with_every_kind() {
  local kind
  given_a_site
  sed -i 's/uses: \[tls13-server, tls12-server\]/uses: [tls13-server, tls12-server, digest]/' "$dir/signet.yaml"
  grep -q 'tls12-server, digest\]' "$dir/signet.yaml" || give_up "the site grants no digest"
  for kind in rsa3072 rsa4096 p384 p521 ed25519; do signet "$dir" keys generate --type "$kind" --label "www-$kind" >>"$dir/site.log" 2>&1; done
  signet "$dir" keys generate --type rsa2048 --label www-pss >>"$dir/site.log" 2>&1
  sed -i "s|^module = .*|module = ${SIGNET_TEST_MODULE:-$provider}|" "$dir/openssl.cnf"
  printf 'catalogue = %s/run/catalogue\ntimeout_ms = 10000\n[req]\ndistinguished_name = dn\n[dn]\n' "$dir" >>"$dir/openssl.cnf"
  printf 'openssl_conf = init\n[init]\nproviders = list\n[list]\ndefault = d\n[d]\nactivate = 1\n[req]\ndistinguished_name = dn\n[dn]\n' >"$dir/plain.cnf"
}

# With the service up, which writes the catalogue; its own key signs each certificate.
given_files_of_every_kind() {
  local kind mark
  cp "$dir/web/ec.crt" "$dir/web/ec.issued"
  for kind in $kinds; do
    mark=''
    if [[ $kind == pss ]]; then mark=--rsa-pss; fi
    ours pkey -in "signet:label=www-$kind" -pubout -out "$dir/web/$kind.spki"
    "$make_reference" $mark "www-$kind" <"$dir/web/$kind.spki" >"$dir/web/$kind.key"
    "$make_reference" $mark --pkcs8 "www-$kind" <"$dir/web/$kind.spki" >"$dir/web/$kind.p8"
    ours req -x509 -key "$dir/web/$kind.key" -subj "/CN=$kind.signet.test" -addext basicConstraints=critical,CA:true -days 2 -out "$dir/web/$kind.crt"
    plain x509 -in "$dir/web/$kind.crt" -noout -pubkey >"$dir/web/$kind.pub"
  done
  signet "$dir" keys export --key www-pss --rsa-pss --form pkcs8 2>>"$dir/site.log" | cmp - "$dir/web/pss.p8"
  cat "$dir"/web/*.crt >"$dir/web/all.crt"
}

ours() { env "${environment_of_ours[@]}" openssl "$@"; }
plain() { env "${environment_of_plain[@]}" openssl "$@"; }
environment_of_ours=("OPENSSL_CONF=$dir/openssl.cnf" "LD_PRELOAD=${SIGNET_TEST_PRELOAD:-}")
environment_of_plain=("OPENSSL_CONF=$dir/plain.cnf")

hash_of() {
  case $1 in
    p384) echo sha384 ;;
    p521) echo sha512 ;;
    *) echo sha256 ;;
  esac
}

# named WAY KIND: what the command is given as its key.
named() {
  case $1 in
    reference) echo "$dir/web/$2.key" ;;
    pkcs8) echo "$dir/web/$2.p8" ;;
    uri) if [[ $2 == pss ]]; then echo 'signet:label=www-pss;type=rsa-pss'; else echo "signet:label=www-$2"; fi ;;
  esac
}

# Each of the following has KIND, KEY.
run_req() {
  ours req -new -key "$2" -subj /CN=x -out x.csr && plain req -in x.csr -verify -noout && plain req -in x.csr -noout -pubkey | cmp - "$dir/web/$1.pub"
}

run_x509() {
  plain req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout y.key -subj /CN=y -out y.csr 2>/dev/null &&
    ours x509 -req -in y.csr -CA "$dir/web/$1.crt" -CAkey "$2" -CAcreateserial -days 2 -out y.crt &&
    plain verify -CAfile "$dir/web/$1.crt" y.crt
}

run_dgst() {
  echo hello >message
  ours dgst "-$(hash_of "$1")" -sign "$2" -out made message &&
    plain dgst "-$(hash_of "$1")" -verify "$dir/web/$1.pub" -signature made message
}

run_pkeyutl() {
  local how=(-pkeyopt "digest:$(hash_of "$1")")
  echo hello >message
  if [[ $1 == ed25519 ]]; then how=(-rawin); else plain dgst "-$(hash_of "$1")" -binary -out message "$dir/web/$1.pub"; fi
  ours pkeyutl -sign -inkey "$2" -in message -out made "${how[@]}" &&
    plain pkeyutl -verify -pubin -inkey "$dir/web/$1.pub" -in message -sigfile made "${how[@]}"
}

# OpenSSL 3.0 writes PKCS#1 v1.5 into a CMS by an RSA-PSS key of any provider unless it is told otherwise.
run_cms() {
  local how=()
  if [[ $1 == pss ]]; then how=(-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest); fi
  echo hello >message
  ours cms -sign -nodetach -binary -in message -signer "$dir/web/$1.crt" -inkey "$2" -md "$(hash_of "$1")" "${how[@]}" -outform DER -out x.cms &&
    plain cms -verify -binary -in x.cms -inform DER -CAfile "$dir/web/all.crt" -purpose any -partial_chain -out verified && cmp message verified
}

# A certificate for time stamps of the key: OpenSSL demands its extended key usage alone and critical.
run_ts() {
  printf '[tsa]\nserial = %s/serial\ndefault_policy = 1.2.3.4\ndigests = sha256\nsigner_digest = %s\naccuracy = secs:1\n' "$PWD" "$(hash_of "$1")" >ts.cnf
  printf '[ext]\nextendedKeyUsage = critical,timeStamping\n' >ext.cnf
  echo 01 >serial
  ours req -new -key "$2" -subj /CN=tsa -out tsa.csr &&
    ours x509 -req -in tsa.csr -signkey "$2" -days 2 -extfile ext.cnf -extensions ext -out tsa.crt &&
    plain ts -query -data ts.cnf -sha256 -cert -out x.tsq &&
    ours ts -reply -config ts.cnf -section tsa -queryfile x.tsq -signer tsa.crt -inkey "$2" -out x.tsr &&
    plain ts -verify -queryfile x.tsq -in x.tsr -CAfile tsa.crt
}

run_storeutl() {
  ours storeutl -keys -text -noout "$2" >text && grep -q '^Total found: 1$' text
}

run_pkey() {
  ours pkey -in "$2" -pubout | cmp - "$dir/web/$1.pub" && ours pkey -in "$2" -noout -text_pub | grep -Eq 'Public-Key|pub:' && ! ours pkey -in "$2" -out leaked 2>/dev/null && ! grep -qs PRIVATE leaked
}

run_s_server() {
  local version ok=0
  serve ours "$1" -key "$2" -cert "$dir/web/$1.crt" || return 1
  for version in tls1_2 tls1_3; do shakes_hands plain "-$version" || ok=1; done
  stop "$server"
  return $ok
}

run_s_client() {
  local version ok=0
  serve plain own -key own.key -cert own.crt -Verify 1 -verify_return_error || return 1
  for version in tls1_2 tls1_3; do shakes_hands ours "-$version" -key "$2" -cert "$dir/web/$1.crt" || ok=1; done
  stop "$server"
  return $ok
}

# serve WHOSE NAME ARG…: sets $server and $port. The test's subshell ends it.
serve() {
  local -n environment="environment_of_$1"
  shift 2
  : >server.log
  trap 'stop "${server:-}"' EXIT
  env "${environment[@]}" openssl s_server -accept 127.0.0.1:0 -CAfile "$dir/web/all.crt" -www "$@" >server.log 2>&1 &
  server=$!
  wait_until $site_patience_s "openssl s_server: $(cat server.log)" server_listens
}

server_listens() {
  kill -0 "$server" || give_up "$(cat server.log)"
  port=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\).*/\1/p' server.log) && [[ -n "$port" ]]
}

# A page comes, so both sides are content.
shakes_hands() {
  local -n environment="environment_of_$1"
  shift
  printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 env "${environment[@]}" openssl s_client -connect "127.0.0.1:$port" \
    -CAfile "$dir/web/all.crt" -partial_chain -verify_return_error -ign_eof "$@" >client.log 2>&1
  grep -q 'HTTP/1.0 200' client.log && return 0
  cat client.log server.log
  return 1
}

# What the OpenSSL of this machine does with no key of that kind is no fault of the provider: tried with a file.
supports() {
  case "$1 $2" in
    'dgst ed25519' | 'ts ed25519' | 'ts pss' | 'cms ed25519') return 1 ;;
  esac
}

cell() { # cell COMMAND KIND WAY
  supports "$1" "$2" || return 0
  mkdir -p "$dir/cell"
  cd "$dir/cell"
  it "openssl $1: $2: $3" "run_$1" "$2" "$(named "$3" "$2")"
}

given_a_site_with_every_kind
given_a_service
given_files_of_every_kind
(cd "$dir" && mkdir -p cell && cd cell && plain req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -subj /CN=own -out own.crt 2>/dev/null &&
  cat own.crt >>"$dir/web/all.crt")

for kind in $kinds; do
  for command in req x509 dgst pkeyutl cms storeutl pkey s_server s_client; do cell $command "$kind" uri; done
  for way in reference pkcs8; do
    for command in req dgst s_server; do cell $command "$kind" $way; done
  done
  # It knows files only.
  cell ts "$kind" reference
done

# What only a name can do.
certificate_by_name() { ours x509 -in signet:label=www-ec -outform DER | cmp - <(plain x509 -in "$dir/web/ec.issued" -outform DER); }
lists_all_keys() {
  ours storeutl -noout signet: >list && cat list && grep -q "Total found: $(($(wc -w <<<"$kinds") + 1))" list && grep -q '^www-ec$' list
}
by_id_and_spki() {
  local spki
  spki=$(plain pkey -pubin -in "$dir/web/p384.pub" -outform DER | sha256sum | cut -d' ' -f1)
  ours pkey -in "signet:spki=$spki" -pubout | cmp - "$dir/web/p384.pub" && ours pkey -in "signet:id=${spki:0:40};label=www-p384" -pubout | cmp - "$dir/web/p384.pub"
}
both_by_name() {
  serve ours ec -key signet:label=www-ec -cert signet:label=www-ec && shakes_hands plain -tls1_3
}
cd "$dir/cell"
it "openssl x509: a certificate by its key's name" certificate_by_name
it "openssl storeutl: a list of all keys" lists_all_keys
it "openssl pkey: by SPKI hash, and by id and label together" by_id_and_spki
it "openssl s_server: key and certificate by name" both_by_name
(cd "$dir" && sed -e 's/^signet = .*//' -e 's/^default = .*/signet = signet_provider\n&/' openssl.cnf >first.cnf)
listed_before_default() {
  local kind
  environment_of_ours[0]="OPENSSL_CONF=$dir/first.cnf"
  for kind in $kinds; do run_pkey "$kind" "$(named uri "$kind")" && run_s_server "$kind" "$(named uri "$kind")" || return 1; done
}
it "openssl pkey, s_server: by name, with the provider listed before default" listed_before_default
stop "$service_pid"
it "with the service down, names are found all the same" by_id_and_spki
it "and what signs says that the service is down" fails_saying 'signing service unreachable' ours dgst -sha256 -sign signet:label=www-ec -out made "$dir/web/ec.pub"
finish
