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

# Where the deadline is not what is tested: a client that waits as long as a busy machine may need.
given_patient_clients() {
  sed -i 's|^sockets = .*|&\ntimeout_ms = 5000|' "$dir/openssl.cnf"
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

# As nginx.service has it: a daemon, which answers to USR2 only so, under its whole path, which it executes again.
given_nginx_as_a_daemon() {
  nginx_conf "$dir"
  sed -i 's/^env OPENSSL_CONF;/&\nenv LD_PRELOAD;/; s/^daemon off;//' "$dir/nginx.conf"
  (
    exec_nginx() { "$(command -v nginx)" "$@"; }
    nginx_run "$dir" </dev/null >>"$dir/nginx.out" 2>&1
  )
  # As it is in the sources, the process that was started ends before the daemon has written its pid.
  wait_until $site_patience_s 'the pid of NGINX' another_master_is_there ''
  nginx_pid=$(cat "$dir/nginx.pid")
  started+=("$nginx_pid")
}

# Executes the binary again beside the old one, and ends that.
upgrade_nginx() {
  local old=$nginx_pid
  kill -USR2 "$old"
  wait_until $site_patience_s 'the new master' another_master_is_there "$old"
  nginx_pid=$(cat "$dir/nginx.pid")
  started+=("$nginx_pid")
  kill -QUIT "$old"
  wait_until $site_patience_s 'the end of the old master' has_ended "$old"
}

another_master_is_there() {
  local pid
  pid=$(cat "$dir/nginx.pid" 2>/dev/null) && [[ -n "$pid" && "$pid" != "$1" ]] && pgrep -P "$pid" >/dev/null
}
