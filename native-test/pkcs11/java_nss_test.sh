#!/usr/bin/env bash
# Java's keytool and Mozilla's NSS, on the real module, a real service and a SoftHSM token. Java's TLS is in native-test/matrix.
source "$(dirname "$0")/site.sh"

main() {
  given_a_site_of_all_kinds
  given_a_service
  nss
  java_tests
  finish
}

nss() {
  local name
  it "NSS: modutil adds the module" nss_adds_it
  it "NSS: certutil lists the certificates" nss_lists_certificates
  it "NSS: certutil makes a CSR: RSA" nss_makes_csr www-rsa
}

java_tests() {
  if ! command -v java >/dev/null; then
    passed=$((passed + 1))
    echo "ok $((passed + failed)) - Java # SKIP there is no java"
    return
  fi
  printf 'name = signet\nlibrary = %s\nslotListIndex = 0\n' "$module" >"$dir/java.cfg"
  it "Java: keytool lists the private keys" java_lists_keys
}

nss_adds_it() {
  mkdir "$dir/nss"
  certutil -N -d "sql:$dir/nss" --empty-password
  modutil -dbdir "sql:$dir/nss" -force -add signet -libfile "$module"
}

nss_lists_certificates() {
  local kind
  certutil -L -d "sql:$dir/nss" -h signet >"$dir/list"
  for kind in ec rsa p384 p521; do grep -q "^signet:www-$kind  *u,u,u" "$dir/list" || { cat "$dir/list"; return 1; }; done
}

nss_makes_csr() {
  local id
  id=$(certutil -K -d "sql:$dir/nss" -h signet | sed -n "s/.* rsa  *\([0-9a-f]*\)  *$1\$/\1/p")
  certutil -R -d "sql:$dir/nss" -h signet -k "$id" -s CN=nss -o "$dir/nss.csr"
  openssl req -inform DER -in "$dir/nss.csr" -noout -verify
  openssl req -inform DER -in "$dir/nss.csr" -noout -pubkey | cmp - "$dir/pub/rsa.pem"
}

java_lists_keys() {
  local kind
  keytool -list -keystore NONE -storetype PKCS11 -addprovider SunPKCS11 -providerArg "$dir/java.cfg" -storepass any >"$dir/list"
  for kind in ec rsa p384 p521; do grep -q "^www-$kind, PrivateKeyEntry" "$dir/list" || { cat "$dir/list"; return 1; }; done
}

main
