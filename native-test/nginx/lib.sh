# For the scripts beside it, each of which is one test: sourced first. Gives $dir, a site of their own (scripts/site.sh), and
# ends what they started.

set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/site.sh"

# A client's default deadline (native/client/signet_client.h) with what a loaded machine adds, in milliseconds.
deadline_ms=1000
slack_ms=1500
# Goal F12 is that pages come 1 s after the service is back, and F5 that a killed signer is replaced in 2 s. A machine that is busy
# with other things misses both now and then; what is measured is told, and recorded.
again_ms=3000
replaced_ms=6000

dir=$(mktemp -d "${TMPDIR:-/tmp}/signet-nginx-XXXXXX")
started=()
trap end_test EXIT
trap 'exit 130' INT TERM HUP

end_test() {
  local status=$? pid
  set +e # whatever fails here, the rest must still be ended
  trap '' INT TERM HUP
  if ((status != 0)); then show_logs; fi
  for pid in "${started[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    stop "$pid"
  done
  rm -rf "$dir"
  exit "$status"
}

show_logs() {
  local log
  for log in "$dir"/{service,error}.log "$dir/nginx.out"; do
    if [[ -s "$log" ]]; then
      echo "--- the end of ${log##*/}" >&2
      grep -v "\[info\]" "$log" | tail -n 15 >&2
    fi
  done
}

# Copies the site that the tests of one run share, and makes it first if there is none.
given_a_site() {
  local shared="${SIGNET_TEST_SCRATCH:-$dir}/site"
  if [[ ! -d "$shared" ]]; then
    site_make "$shared.new"
    sed -i "s|$shared.new|$shared|g" "$shared.new"/{signet.yaml,softhsm2.conf,openssl.cnf}
    mv "$shared.new" "$shared"
  fi
  cp -a "$shared/." "$dir/"
  sed -i "s|$shared|$dir|g" "$dir"/{signet.yaml,softhsm2.conf,openssl.cnf}
  https_port=$(free_ports 1)
}

# Puts the fault-injecting module (native-test/faulty) between the service and the token; `fault COMMAND…` orders faults.
given_a_faulty_token() {
  local module
  make --silent -C "$root/native-test/faulty" all >&2
  module=$(sed -n 's/^ *module: "\(.*\)"/\1/p' "$dir/signet.yaml")
  sed -i -e "s|^\( *module: \).*|\1$root/build/native-test/faulty.so|" \
    -e "s|^\( *\)SOFTHSM2_CONF:.*|&\n\1SIGNET_FAULTY_MODULE: $module\n\1SIGNET_FAULTY_STATE: $dir/faults|" "$dir/signet.yaml"
  fault create
}

fault() {
  "$root/build/native-test/faultyctl" "$dir/faults" "$@"
}

given_a_service() {
  service_start "$dir"
  started+=("$service_pid")
}

# `serving` is said when the first signer is ready.
given_a_whole_pool() {
  wait_until $site_patience_s 'two signers' signers_were_made "$((${1:-0} + 2))"
}

given_nginx() {
  nginx_start "$dir"
  started+=("$nginx_pid")
  wait_until $site_patience_s "NGINX's workers" workers_are_there
}

given_handshake_load() {
  node "$(dirname "${BASH_SOURCE[0]}")/handshake-load.mjs" "$https_port" "$dir/web/ca.crt" "$dir/load.json" </dev/null &
  load_pid=$!
  started+=("$load_pid")
  after_more_handshakes 20
}

# Waits until the load has made that many handshakes more.
after_more_handshakes() {
  local wanted=$(($(load_count ok) + $1))
  wait_until $site_patience_s "$1 more handshakes; so far: $(cat "$dir/load.json" 2>/dev/null)" load_reached "$wanted"
}

load_reached() {
  (($(load_count ok) >= $1))
}

load_count() {
  sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$dir/load.json" 2>/dev/null | grep . || echo 0
}

then_no_handshake_was_lost() {
  stop "$load_pid"
  echo "handshakes: $(cat "$dir/load.json")"
  (($(load_count failed) == 0)) || give_up "handshakes were lost"
}

then_pages_come() {
  local host version
  for host in ec.signet.test rsa.signet.test; do
    for version in 1.2 1.3; do
      fetch "$dir" "$host" --tlsv$version --tls-max $version -o /dev/null || give_up "no page from $host over TLS $version"
    done
  done
}

page_comes() {
  fetch "$dir" ec.signet.test -o /dev/null 2>/dev/null
}

# then_a_handshake_fails_within MS
then_a_handshake_fails_within() {
  local begun ms
  begun=$(now_ms)
  if page_comes; then give_up "expected the handshake to fail; it passed"; fi
  ms=$(($(now_ms) - begun))
  ((ms <= $1)) || give_up "expected the handshake to fail within $1 ms; it took $ms ms"
  echo "a handshake failed after $ms ms"
  took_ms=$ms
}

# then_within MS WHAT CMD…
then_within() {
  local limit=$1 what=$2 begun ms
  shift 2
  begun=$(now_ms)
  wait_until $site_patience_s "$what" "$@"
  ms=$(($(now_ms) - begun))
  ((ms <= limit)) || give_up "expected $what within $limit ms; it took $ms ms"
  echo "$what after $ms ms"
  took_ms=$ms
}

# record_goal ID WHAT MEASURED UNIT 'at most'|'at least' BOUND [OF]: for docs/reliability.md, as test/reliability/measured-goal.ts.
record_goal() {
  [[ -z "${SIGNET_GOAL_RESULTS:-}" ]] || (cd "$root" && node --import=tsx test/reliability/record.ts "$@")
}

now_ms() {
  local now=${EPOCHREALTIME/./}
  echo "${now%???}"
}

# The error log of NGINX has, or has soon, a line about Signet with all these words.
then_the_error_log_says() {
  wait_until $site_patience_s "a line of NGINX's error log with: $*" error_log_says "$@"
  echo "NGINX's error log: $(grep signet: "$dir/error.log" | tail -n 1 | cut -c1-500)"
}

error_log_says() {
  local word lines
  lines=$(grep signet: "$dir/error.log") || return 1
  for word in "$@"; do
    lines=$(grep -F -- "$word" <<<"$lines") || return 1
  done
}

signers() {
  pgrep -P "$service_pid" || true
}

# The log tells it at once; asking by `signet status` would take most of the time that is measured.
signers_made() {
  grep -c '"signer is ready"' "$dir/service.log" || true
}

signers_were_made() {
  (($(signers_made) >= $1))
}

# then_a_killed_signer_is_replaced_within MS
then_a_killed_signer_is_replaced_within() {
  local wanted=$(($(signers_made) + 1))
  kill -KILL "$(signers | shuf -n 1)"
  then_within "$1" 'the pool is whole again' signers_were_made "$wanted"
}

workers() {
  pgrep -P "$nginx_pid" | sort || true
}

workers_are_there() {
  [[ -n "$(workers)" ]]
}

# The master closes what it had for a worker a little after that has ended.
then_the_master_has_descriptors() {
  wait_until $site_patience_s "$1 descriptors of NGINX's master; it has $(master_descriptors)" master_has_descriptors "$1"
}

master_has_descriptors() {
  (($(master_descriptors) == $1))
}

master_descriptors() {
  find "/proc/$nginx_pid/fd" -mindepth 1 | wc -l
}

# Reloads NGINX and waits until the workers are others.
reload_nginx() {
  local before
  before=$(workers)
  kill -HUP "$nginx_pid"
  wait_until $site_patience_s "NGINX's new workers" workers_changed "$before"
}

workers_changed() {
  local now
  now=$(workers)
  [[ -n "$now" && -z "$(comm -12 <(echo "$1") <(echo "$now"))" ]]
}

hex() {
  od -An -v -tx1 | tr -d ' \n'
}
