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

# given_visitors LANES ABORT-PERCENT
given_visitors() {
  node "$root/native-test/async/visitors.mjs" "$https_port" "$dir/web/ca.crt" "$dir/load.json" "$@" </dev/null &
  load_pid=$!
  started+=("$load_pid")
}

# Waits until so many visitors more have had their page, or have gone before.
after_more_visitors() {
  local wanted=$(($(visitors) + $1))
  wait_until $site_patience_s "$1 more visitors; so far: $(cat "$dir/load.json" 2>/dev/null)" visitors_reached "$wanted"
}

visitors() {
  echo $(($(load_count ok) + $(load_count aborted)))
}

visitors_reached() {
  (($(visitors) >= $1))
}

then_only_those_who_left_had_no_page() {
  stop "$load_pid"
  echo "visitors: $(cat "$dir/load.json")"
  (($(load_count failed) == 0)) || give_up "visitors had no page"
}

# No worker was killed by a signal, and OpenSSL's error queue was clean.
then_no_worker_came_to_harm() {
  local found
  found=$(grep -E "exited on signal|exited with code [^0]|\[alert\]|\[emerg\]|stale global SSL error|no events without timeout" \
    "$dir/error.log" | grep -v "open socket #" | head -n 3 || true)
  [[ -z "$found" ]] || give_up "NGINX's error log says:" "$found"
}

worker_kb() {
  awk '/^VmRSS/ { print $2 }' "/proc/$(workers)/status"
}

worker_descriptors() {
  find "/proc/$(workers)/fd" -mindepth 1 | wc -l
}

# CPU time of the worker so far, in hundredths of a second.
worker_ticks() {
  sed 's/.*) //' "/proc/$(workers)/stat" | awk '{ print $12 + $13 }'
}

worker_is_alone() {
  (($(worker_descriptors) <= $1))
}
