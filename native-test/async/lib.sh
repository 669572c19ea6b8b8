# For the scripts beside it, each of which is one test: sourced first. As native-test/nginx/lib.sh, with the preload library, and
# without waiting for the token.

source "$(dirname "${BASH_SOURCE[0]}")/../nginx/lib.sh"

preload="$root/build/native/signet_async.so"

# A faulty token that takes so many microseconds for a signature, behind so many signers.
given_a_slow_token() {
  given_a_faulty_token
  sed -i "s|^\( *signers: \).*|\1${2:-2}|" "$dir/signet.yaml"
  fault latency C_Sign "$1"
}

# Replaces that of site.sh: every nginx has the preload library, unless `preload` is empty.
nginx_run() {
  local dir=$1
  shift
  PATH="$PATH:/usr/sbin" OPENSSL_CONF="$dir/openssl.cnf" LD_PRELOAD="$preload" exec_nginx -p "$dir" -e "$dir/error.log" \
    -c "$dir/nginx.conf" "$@"
}
