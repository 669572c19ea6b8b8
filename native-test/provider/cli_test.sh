#!/bin/bash
# The openssl command line with references, in both orders of the providers.
. "$(dirname "$0")/setup.sh"
VECTORS=$(cd "$OLDPWD" && cd "$(dirname "$0")/../vectors" && pwd)

digest_of() {
    case $1 in
    p384) echo sha384 ;;
    p521) echo sha512 ;;
    *) echo sha256 ;;
    esac
}

with() { # with after|before|plain command...
    OPENSSL_CONF=$WORK/$1.cnf "${@:2}"
}

gives_public_key() {
    with $1 openssl pkey -in $2.ref -pubout | cmp - $2.pub
}

shows_only_public_text() {
    with $1 openssl pkey -in $2.ref -noout -text_pub >text && grep -q 'Public-Key' text || return 1
    with $1 openssl pkey -in $2.ref -text >text 2>/dev/null
    ! grep -qiE 'private|priv:|prime|exponent1' text
}

gives_no_private_key() {
    ! with $1 openssl pkey -in $2.ref -out leaked.pem 2>/dev/null && ! grep -q PRIVATE leaked.pem 2>/dev/null &&
        ! with $1 openssl pkcs8 -topk8 -nocrypt -in $2.ref -out leaked.pem 2>/dev/null && ! grep -q PRIVATE leaked.pem 2>/dev/null
}

self_signs() {
    with $1 openssl req -x509 -key $2.ref -subj /CN=localhost -days 2 -out self.crt &&
        with plain openssl verify -CAfile self.crt self.crt && with plain openssl x509 -in self.crt -noout -pubkey | cmp - $2.pub
}

makes_a_csr() {
    with $1 openssl req -new -key $2.ref -subj /CN=localhost -out a.csr && with plain openssl req -in a.csr -verify -noout
}

signs_a_stream() {
    head -c ${3:-5000} /dev/urandom >message
    with $1 openssl dgst -$(digest_of $2) -sign $2.ref -out made message &&
        with plain openssl dgst -$(digest_of $2) -verify $2.pub -signature made message &&
        with $1 openssl dgst -$(digest_of $2) -prverify $2.ref -signature made message
}

refuses_a_wrong_signature() {
    echo hello >message
    with $1 openssl dgst -$(digest_of $2) -sign $2.ref -out made message || return 1
    echo other >message
    ! with $1 openssl dgst -$(digest_of $2) -prverify $2.ref -signature made message
}

signs_pss() {
    echo hello >message
    with $1 openssl dgst -$2 -sign rsa.ref -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:$3 -out made message &&
        with plain openssl dgst -$2 -verify rsa.pub -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -signature made message
}

signs_a_digest() {
    echo hello | openssl dgst -$(digest_of $2) -binary >digest
    with $1 openssl pkeyutl -sign -inkey $2.ref -in digest -out made -pkeyopt digest:$(digest_of $2) &&
        with plain openssl pkeyutl -verify -pubin -inkey $2.pub -in digest -sigfile made -pkeyopt digest:$(digest_of $2) &&
        with $1 openssl pkeyutl -verify -inkey $2.ref -in digest -sigfile made -pkeyopt digest:$(digest_of $2)
}

signs_raw_ed25519() {
    echo hello >message
    with $1 openssl pkeyutl -sign -rawin -inkey ed25519.ref -in message -out made &&
        with plain openssl pkeyutl -verify -rawin -pubin -inkey ed25519.pub -in message -sigfile made &&
        with $1 openssl pkeyutl -verify -rawin -inkey ed25519.ref -in message -sigfile made
}

signs_cms() {
    echo hello >message
    with $1 openssl cms -sign -nodetach -in message -signer $2.crt -inkey $2.ref -md $(digest_of $2) -outform DER -out signed.cms "${@:3}" &&
        with plain openssl cms -verify -in signed.cms -inform DER -CAfile $2.crt -purpose any -out verified && tr -d '\r' <verified | cmp - message
}

loads_from() { # a file in which the reference is not alone
    with $1 openssl pkey -in $2 -pubout | cmp - rsa.pub
}

second_form_gives_public_key() {
    grep -q -- '-----BEGIN PRIVATE KEY-----' $2.p8 && with $1 openssl pkey -in $2.p8 -pubout | cmp - $2.pub
}

signs_with_second_form() {
    local raw=-rawin
    echo hello >message
    [ $1 = ed25519 ] || raw="-pkeyopt digest:$(digest_of $1)"
    [ $1 = ed25519 ] || openssl dgst -$(digest_of $1) -binary -out message rsa.crt
    with after openssl pkeyutl -sign $raw -inkey $1.p8 -in message -out made &&
        with plain openssl pkeyutl -verify $raw -pubin -inkey $1.pub -in message -sigfile made
}

first_of_two() {
    cat $1 $2 >two.pem
    with after openssl pkey -in two.pem -pubout | cmp - $3
}

keeps_genuine_keys() { # a genuine key signs, a certificate is made with it, an ephemeral key agrees
    echo hello >message
    with $1 openssl dgst -sha256 -sign $2.key -out made message && with $1 openssl dgst -sha256 -verify $2.pub -signature made message &&
        with $1 openssl req -x509 -key $2.key -subj /CN=x -out x.crt && with $1 openssl verify -CAfile x.crt x.crt &&
        with $1 openssl pkey -in $2.key -text -noout | grep -q 'Private-Key'
}

agrees_ecdh() {
    with $1 openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out a.key && with $1 openssl genpkey -algorithm RSA -out b.key -quiet &&
        with $1 openssl pkeyutl -derive -inkey a.key -peerkey genuine.pub -out secret && [ -s secret ]
}

uses_the_service_once() { # a message of a request is sent whole up to 16 KiB, as a digest beyond
    rm -f log
    SIGNET_FAKE_LOG=$WORK/log signs_a_stream after p256 $1 && [ "$(cat log)" = "$2" ]
}

for order in after before; do
    for kind in $KINDS; do
        it "$order default: $kind: -pubout gives the real public key" gives_public_key $order $kind
        it "$order default: $kind: text shows only the public key" shows_only_public_text $order $kind
        it "$order default: $kind: no private key comes out" gives_no_private_key $order $kind
        it "$order default: $kind: a self-signed certificate verifies" self_signs $order $kind
        it "$order default: $kind: a CSR verifies" makes_a_csr $order $kind
    done
    for kind in rsa p256 p384 p521 pss; do
        # OpenSSL 3.0 writes PKCS#1 v1.5 into a CMS by an RSA-PSS key of any provider unless it is told otherwise.
        keyopt=
        [ $kind = pss ] && keyopt="-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest"
        it "$order default: $kind: dgst -sign" signs_a_stream $order $kind
        it "$order default: $kind: a signature of something else does not verify" refuses_a_wrong_signature $order $kind
        it "$order default: $kind: pkeyutl signs a digest" signs_a_digest $order $kind
        it "$order default: $kind: CMS" signs_cms $order $kind $keyopt
    done
    it "$order default: ed25519: pkeyutl -rawin" signs_raw_ed25519 $order
    it "$order default: CMS with PSS" signs_cms $order rsa -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest
    for digest in sha256 sha384 sha512; do it "$order default: PSS with $digest" signs_pss $order $digest digest; done
    it "$order default: a genuine EC key keeps working" keeps_genuine_keys $order genuine
    it "$order default: a genuine RSA key keeps working" keeps_genuine_keys $order genuine-rsa
    it "$order default: programs make keys for themselves" agrees_ecdh $order
done

it "PSS takes the digest's length as a number" signs_pss after sha256 32
it "a message of 16 KiB goes to the service whole" uses_the_service_once 16384 "0403 message 16384"
it "a longer message goes to the service as a digest" uses_the_service_once 16385 "0403 digest 32"
it "a long message goes to the service as a digest" uses_the_service_once 300000 "0403 digest 32"

cat rsa.crt rsa.ref >cert-first.pem
cat rsa.ref rsa.crt >key-first.pem
cat genuine-rsa.crt rsa.crt rsa.ref >chain.pem
for file in cert-first key-first chain; do it "$file.pem loads" loads_from after $file.pem; done
it "store:file: loads the key" with after openssl storeutl -keys -noout cert-first.pem
it "a password is not asked for" with after openssl pkey -in rsa.ref -passin pass:secret -pubout

# Of what is wrong inside a PKCS#8 OpenSSL's file store says nothing; whoever reads PEM, as NGINX does, is told (provider_test).
for bad in "$VECTORS"/bad-*.pem; do
    words=expected
    [[ $bad == */bad-pkcs8-* ]] && words="Could not read key"
    it "$(basename $bad) is refused" fails_saying "$words" with after openssl pkey -in $bad -pubout
done
for good in rsa2048 rsa4096 p256 p384 p521 ed25519; do
    it "vector $good has its public key" with after bash -c "openssl pkey -in $VECTORS/reference-$good.pem -pubout | cmp - $VECTORS/public-$good.pem"
done
it "unknown trailing elements are ignored" with after bash -c "openssl pkey -in $VECTORS/reference-later.pem -pubout | cmp - $VECTORS/public-p256.pem"

echo hello >message
sign() { with after openssl dgst "$@" -out made message; }
it "SHA-1 is refused" fails_saying "an RSA key signs with SHA-256, SHA-384 or SHA-512" sign -sha1 -sign rsa.ref
it "SHA-224 is refused" fails_saying "digest sha224 came" sign -sha224 -sign rsa.ref
it "P-256 with SHA-384 is refused" fails_saying "a P-256 key signs with SHA-256" sign -sha384 -sign p256.ref
it "the salt length max is refused" fails_saying "expected the digest's" sign -sha256 -sign rsa.ref -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max
it "the salt length auto is refused" fails_saying "expected the digest's" sign -sha256 -sign rsa.ref -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:auto
it "another salt length is refused" fails_saying "expected a salt of 32 bytes" sign -sha256 -sign rsa.ref -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20
it "another MGF1 digest is refused" fails_saying "MGF1 with the same digest" sign -sha256 -sign rsa.ref -sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:sha512
it "raw RSA is refused" fails_saying "raw RSA does not exist here" with after openssl pkeyutl -sign -inkey rsa.ref -in message -pkeyopt rsa_padding_mode:none
it "raw data without a digest is refused" fails_saying "expected a named digest" with after openssl pkeyutl -sign -inkey rsa.ref -in message
it "decryption does not exist" fails_saying "" with after openssl pkeyutl -decrypt -inkey rsa.ref -in message

it "without the provider the reference does not load" fails_saying "Could not" with plain openssl pkey -in rsa.ref -pubout
for kind in $KINDS; do
    for order in after before; do it "$order default: $kind: the second form gives the same key" second_form_gives_public_key $order $kind; done
    it "$kind: the second form does not load without the provider" fails_saying "Could not" with plain openssl pkey -in $kind.p8 -pubout
    it "$kind: the second form signs" signs_with_second_form $kind
done
it "a genuine key and the second form in one file: the first is taken" first_of_two genuine-rsa.key rsa.p8 genuine-rsa.pub
it "the second form and a genuine key in one file: the first is taken" first_of_two rsa.p8 genuine-rsa.key rsa.pub

it "an RSA-PSS key has a certificate of its type" with plain bash -c "openssl x509 -in pss.crt -noout -text | grep -q 'Public Key Algorithm: rsassaPss'"
it "an RSA-PSS key does not pad by PKCS#1" fails_saying "an RSA-PSS key signs with" with after openssl dgst -sha256 -sign pss.ref -sigopt rsa_padding_mode:pkcs1 -out made pss.crt
it "a certificate of an RSA key does not match an RSA-PSS key" fails_saying "" with after openssl s_server -accept 127.0.0.1:0 -key pss.ref -cert rsa.crt

it "without a catalogue a name says where it was looked for" fails_saying "$WORK/none.pb (catalogue in openssl.cnf, else SIGNET_CATALOGUE): No such file" \
    env SIGNET_CATALOGUE=$WORK/none.pb OPENSSL_CONF=$WORK/after.cnf openssl pkey -in signet:label=www -pubout
for word in unreachable late refused busy "no token" "token failed"; do
    it "a failure says why: $word" env SIGNET_FAKE_FAIL="$word" bash -c ". /dev/stdin; $(declare -f fails_saying with sign); WORK=$WORK
        fails_saying \"$word: /run/fake.sock\" sign -sha256 -sign rsa.ref && fails_saying 'key \"www-rsa\" (' sign -sha256 -sign rsa.ref" </dev/null
done
write_cnf fault.cnf "default signet" "" "timeout_ms = soon"
it "a bad timeout is told when a key is loaded" fails_saying 'expected a number of milliseconds from 1 to 60000; "soon" came' with fault openssl pkey -in rsa.ref -pubout
write_cnf fault.cnf "default signet" "" "sockets = /$(printf 'x%.0s' {1..120})"
it "a bad list of sockets is told when a key is loaded" fails_saying 'separated by' with fault openssl pkey -in rsa.ref -pubout

finish
