# What the shell tests of the provider begin with: a temporary folder with keys, references and openssl.cnf files, and small words to
# test with. Sourced by *_test.sh, which runs from anywhere: bash FILE BUILD_FOLDER.
set -u
BUILD=$(cd "${1:?build folder}" && pwd)
WORK=$(mktemp -d)
PASSED=0
FAILED=0
PIDS=()
trap 'kill "${PIDS[@]}" 2>/dev/null; rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1
KINDS="rsa p256 p384 p521 ed25519 pss"

it() { # it "does this" command...: one test
    local name=$1
    shift
    if "$@" >out 2>&1; then
        PASSED=$((PASSED + 1))
        echo "ok $((PASSED + FAILED)) - $name"
    else
        FAILED=$((FAILED + 1))
        echo "not ok $((PASSED + FAILED)) - $name"
        sed 's/^/# /' out | head -20
    fi
}

fails_saying() { # fails_saying "words" command...: it fails and says so
    local words=$1
    shift
    if "$@" >said 2>&1; then
        echo "it worked"
        return 1
    fi
    grep -qF -- "$words" said && return 0
    echo "expected: $words; came:"
    cat said
    return 1
}

# The client hears of a failure before the server logs why.
says() { # says FILE "words": they are, or soon will be, in it
    for _ in $(seq 500); do
        grep -q "$2" "$1" && return 0
        read -rt 0.02 <> <(:)
    done
    cat "$1"
    return 1
}

finish() {
    echo "1..$((PASSED + FAILED))"
    echo "# $(basename "$0"): $PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

make_keys() {
    local curve kind genuine="rsa p256 p384 p521 ed25519 genuine genuine-rsa"
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
    for curve in 256 384 521; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-$curve -out p$curve.key; done
    openssl genpkey -algorithm ED25519 -out ed25519.key
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out genuine.key
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out genuine-rsa.key
    for kind in $genuine; do
        openssl pkey -in $kind.key -pubout -out $kind.pub
        openssl req -x509 -key $kind.key -subj "/CN=$kind" -days 2 -out $kind.crt -config plain.cnf
    done
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pss.key
    for kind in $KINDS; do
        "$BUILD/make_reference" $(mark_of $kind) "www-$kind" <$kind.key >$kind.ref
        "$BUILD/make_reference" $(mark_of $kind) --pkcs8 "www-$kind" <$kind.key >$kind.p8
        SIGNET_FAKE_KEYS=${SIGNET_FAKE_KEYS:+$SIGNET_FAKE_KEYS:}$WORK/$kind.key
    done
    export SIGNET_FAKE_KEYS
    # In the token it is an RSA key, so its public key and its certificate as an RSA-PSS key come from the reference.
    OPENSSL_CONF=$WORK/after.cnf openssl pkey -in pss.ref -pubout -out pss.pub
    OPENSSL_CONF=$WORK/after.cnf openssl req -x509 -key pss.ref -subj /CN=pss -days 2 -out pss.crt
}

mark_of() {
    if [ $1 = pss ]; then echo --rsa-pss; fi
}

write_cnf() { # write_cnf FILE "names in order" [module]
    {
        printf 'openssl_conf = init\n[init]\nproviders = provider_sect\n[provider_sect]\n'
        for name in $2; do echo "$name = ${name}_sect"; done
        printf '[default_sect]\nactivate = 1\n[signet_sect]\nmodule = %s\nactivate = 1\n' "${3:-$BUILD/signet.so}"
        printf '%s\n' "${4:-timeout_ms = 500}"
        printf '[req]\ndistinguished_name = dn\n[dn]\n'
    } >"$1"
}

write_cnf plain.cnf "default"
write_cnf after.cnf "default signet"
write_cnf before.cnf "signet default"
export OPENSSL_CONF=$WORK/plain.cnf
make_keys
