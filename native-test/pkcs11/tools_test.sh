#!/usr/bin/env bash
# Programs that speak PKCS#11, on the real module, a real service and a SoftHSM token.
source "$(dirname "$0")/site.sh"

main() {
  given_a_site_of_all_kinds
  it "without a service and a catalogue there is an empty token" the_token_is_empty
  given_a_service
  engine_conf
  head -c 20000 /dev/urandom >"$dir/long"
  echo "what is signed" >"$dir/message"
  pkcs11_tool
  gnutls
  openssh
  openssl_engine
  it "p11-kit finds the module by the file in packaging/p11-kit" p11_kit_lists_it
  finish
}

pkcs11_tool() {
  local hash
  it "pkcs11-tool lists a private key, a public key and certificates of every key" every_object_is_listed
  it "pkcs11-tool reads a certificate as it is" certificate_is_the_same
  it "pkcs11-tool reads a public key as it is" public_key_is_the_same
  it "pkcs11-tool --login takes any PIN" pkcs11-tool --module "$module" --login --pin 0000 -O
  for hash in 256 384 512; do
    it "pkcs11-tool signs with SHA$hash-RSA-PKCS" signs rsa SHA$hash-RSA-PKCS message verify_rsa sha$hash pkcs1
    it "pkcs11-tool signs with SHA$hash-RSA-PKCS-PSS" signs rsa SHA$hash-RSA-PKCS-PSS message verify_rsa sha$hash pss
    it "pkcs11-tool signs a digest with RSA-PKCS-PSS and SHA-$hash" signs_pss_digest $hash
    it "pkcs11-tool signs a DigestInfo of SHA-$hash with RSA-PKCS" signs_digest_info $hash
  done
  it "pkcs11-tool signs with ECDSA-SHA256" signs ec ECDSA-SHA256 message verify_ecdsa sha256
  it "pkcs11-tool signs with ECDSA-SHA384" signs p384 ECDSA-SHA384 message verify_ecdsa sha384
  it "pkcs11-tool signs with ECDSA-SHA512" signs p521 ECDSA-SHA512 message verify_ecdsa sha512
  it "pkcs11-tool signs a digest with ECDSA" signs_ecdsa_digest
  it "pkcs11-tool signs with EDDSA" signs ed25519 EDDSA message verify_ed25519
  it "a message of 20,000 bytes is hashed by the module" signs ec ECDSA-SHA256 long verify_ecdsa sha256
  it "a message of 20,000 bytes is hashed by the module, RSA" signs rsa SHA512-RSA-PKCS-PSS long verify_rsa sha512 pss
  it "raw RSA is refused" fails_saying CKR_DATA_INVALID sign rsa RSA-PKCS "$dir/message"
  it "a digest of another length than the curve's is refused" fails_saying CKR_DATA_LEN_RANGE sign ec ECDSA "$dir/message"
  it "decryption is refused" fails_saying CKR_FUNCTION_NOT_SUPPORTED decrypt
  it "a key is not generated" fails_saying "not supported" pkcs11-tool --module "$module" --login --pin 1 --keypairgen \
    --key-type EC:prime256v1
}

gnutls() {
  it "p11tool lists the keys" p11tool_lists
  for kind in ec rsa p384; do it "p11tool signs and verifies: $kind" p11tool_signs $kind; done
}

openssh() {
  local kind
  it "ssh-keygen -D gives the public keys" ssh_keys_are_there
  for kind in ec rsa p384 p521; do it "ssh-agent signs: $kind" ssh_agent_signs $kind; done
}

openssl_engine() {
  it "openssl req makes a CSR through libp11's engine: RSA" makes_csr rsa
  it "openssl req makes a CSR through libp11's engine: P-256" makes_csr ec
}

the_token_is_empty() {
  SIGNET_CATALOGUE="$dir/none" pkcs11-tool --module "$module" -O >"$dir/list" 2>&1
  ! grep -q Object "$dir/list"
}

every_object_is_listed() {
  local kind
  pkcs11-tool --module "$module" --token-label signet -O >"$dir/list"
  pkcs11-tool --module "$module" --token-label signet-ed25519 -O >>"$dir/list"
  for kind in ec rsa p384 p521 ed25519; do
    (($(grep -c "label: *www-$kind\$" "$dir/list") == 3)) || { cat "$dir/list"; return 1; }
  done
  (($(grep -c '^Private Key Object' "$dir/list") == 6))
}

id_of() {
  [[ -s "$dir/ids" ]] || signet "$dir" keys list >"$dir/ids"
  sed -n "s/^www-$1 .* id:\([0-9a-f]*\).*/\1/p" "$dir/ids"
}

certificate_is_the_same() {
  pkcs11-tool --module "$module" -r --type cert --label www-p384 -o "$dir/read.der"
  openssl x509 -in "$dir/web/p384.crt" -outform DER | cmp - "$dir/read.der"
}

public_key_is_the_same() {
  pkcs11-tool --module "$module" -r --type pubkey --id "$(id_of ec)" -o "$dir/read.der"
  openssl pkey -pubin -in "$dir/pub/ec.pem" -outform DER | cmp - "$dir/read.der"
}

# sign KIND MECHANISM FILE OPTIONS…
sign() {
  local token=signet
  if [[ "$1" == ed25519 ]]; then token=signet-ed25519; fi
  pkcs11-tool --module "$module" --token-label $token --sign --id "$(id_of "$1")" -m "$2" -i "$3" -o "$dir/made" "${@:4}"
}

# signs KIND MECHANISM FILE VERIFY…
signs() {
  local file="$dir/$3"
  sign "$1" "$2" "$file"
  "$4" "$1" "$file" "${@:5}"
}

verify_rsa() {
  openssl dgst "-$3" -verify "$dir/pub/$1.pem" -sigopt "rsa_padding_mode:$4" -signature "$dir/made" "$2"
}

# r and s, as PKCS#11 has them, become DER.
verify_ecdsa() {
  local size
  size=$(($(stat -c %s "$dir/made") / 2))
  printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$(head -c $size "$dir/made" | hex)" \
    "$(tail -c $size "$dir/made" | hex)" >"$dir/numbers"
  openssl asn1parse -genconf "$dir/numbers" -noout -out "$dir/made.der"
  openssl dgst "-$3" -verify "$dir/pub/$1.pem" -signature "$dir/made.der" "$2"
}

verify_ed25519() {
  openssl pkeyutl -verify -rawin -pubin -inkey "$dir/pub/$1.pem" -in "$2" -sigfile "$dir/made"
}

signs_pss_digest() {
  openssl dgst "-sha$1" -binary "$dir/message" >"$dir/digest"
  sign rsa RSA-PKCS-PSS "$dir/digest" --hash-algorithm "SHA$1"
  verify_rsa rsa "$dir/message" "sha$1" pss
}

signs_digest_info() {
  local prefix
  declare -A prefix=([256]=3031300d060960864801650304020105000420 [384]=3041300d060960864801650304020205000430
    [512]=3051300d060960864801650304020305000440)
  printf '%s' "${prefix[$1]}" | sed 's/../\\x&/g' | xargs -0 printf '%b' >"$dir/info"
  openssl dgst "-sha$1" -binary "$dir/message" >>"$dir/info"
  sign rsa RSA-PKCS "$dir/info"
  verify_rsa rsa "$dir/message" "sha$1" pkcs1
}

signs_ecdsa_digest() {
  openssl dgst -sha256 -binary "$dir/message" >"$dir/digest"
  sign ec ECDSA "$dir/digest"
  verify_ecdsa ec "$dir/message" sha256
}

decrypt() {
  head -c 256 /dev/zero >"$dir/zeros"
  pkcs11-tool --module "$module" --decrypt --id "$(id_of rsa)" -m RSA-PKCS -i "$dir/zeros"
}

p11tool_lists() {
  p11tool --provider "$module" --list-privkeys pkcs11:token=signet >"$dir/list"
  p11tool --provider "$module" --list-privkeys pkcs11:token=signet-ed25519 >>"$dir/list"
  cat "$dir/list"
  (($(grep -c ^Object "$dir/list") == 6))
}

p11tool_signs() {
  local hash=SHA256
  if [[ "$1" == p384 ]]; then hash=SHA384; fi
  p11tool --provider "$module" --test-sign --hash $hash "pkcs11:token=signet;object=www-$1;type=private"
}

ssh_keys_are_there() {
  local kind
  ssh-keygen -D "$module" >"$dir/ssh"
  for kind in ec rsa p384 p521; do
    openssl pkey -pubin -in "$dir/pub/$kind.pem" -out "$dir/$kind.pkcs8"
    ssh-keygen -i -m PKCS8 -f "$dir/$kind.pkcs8" >"$dir/expected"
    grep -qF "$(cut -d' ' -f1,2 "$dir/expected")" "$dir/ssh" || { echo "no $kind"; cat "$dir/ssh"; return 1; }
  done
}

# What a login asks of the agent as well.
ssh_agent_signs() {
  local agent
  agent=$(ssh-agent -P "$module")
  eval "$agent" >"$dir/agent"
  trap 'kill $SSH_AGENT_PID' EXIT
  # It asks for a PIN, whatever the token says.
  printf '#!/bin/sh\necho any\n' >"$dir/askpass"
  chmod +x "$dir/askpass"
  DISPLAY=none SSH_ASKPASS_REQUIRE=force SSH_ASKPASS="$dir/askpass" ssh-add -s "$module" </dev/null
  ssh-keygen -i -m PKCS8 -f "$dir/pub/$1.pem" >"$dir/ssh-$1.pub"
  cp "$dir/message" "$dir/signed"
  rm -f "$dir/signed.sig"
  ssh-keygen -Y sign -n file -f "$dir/ssh-$1.pub" "$dir/signed"
  echo "somebody $(cat "$dir/ssh-$1.pub")" >"$dir/allowed"
  ssh-keygen -Y verify -f "$dir/allowed" -I somebody -n file -s "$dir/signed.sig" <"$dir/message"
}

makes_csr() {
  OPENSSL_CONF="$dir/engine.cnf" openssl req -new -engine pkcs11 -keyform engine -key "label_www-$1" -subj "/CN=$1" \
    -out "$dir/$1.csr"
  openssl req -in "$dir/$1.csr" -noout -verify
}

# Root has no configuration of its own for p11-kit, so this is another user's, who must be able to read all of it.
p11_kit_lists_it() {
  local home as=()
  home=$(mktemp -d "${TMPDIR:-/tmp}/signet-p11-kit-XXXXXX")
  trap "rm -rf '$home'" EXIT
  chmod 755 "$home"
  mkdir -p "$home/.config/pkcs11/modules"
  cp "$module" "$home/"
  sed "s|^module: .*|module: $home/signet-pkcs11.so|" "$root/packaging/p11-kit/signet.module" \
    >"$home/.config/pkcs11/modules/signet.module"
  if ((EUID == 0)); then as=(setpriv --reuid 65534 --clear-groups); fi
  HOME="$home" XDG_CONFIG_HOME="$home/.config" "${as[@]}" p11-kit list-modules >"$home/list"
  cat "$home/list"
  grep -q "token: signet$" "$home/list" && grep -q "token: signet-ed25519" "$home/list"
}

main
