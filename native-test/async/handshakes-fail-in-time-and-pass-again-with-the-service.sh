# The service hangs, is killed and comes back while handshakes wait for it: each fails within the client's deadline, nothing else
# stands still meanwhile, and the next pass without a reload.
source "$(dirname "$0")/lib.sh"

eight_handshakes() {
  local number pids=() pid
  failed=0
  for number in 1 2 3 4 5 6 7 8; do
    page_comes &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || ((failed += 1)); done
}

signatures_begun() {
  fault counters | sed -n 's/.*"C_Sign":{"calls":\([0-9]*\).*/\1/p'
}

more_signatures_begun() {
  (($(signatures_begun) > $1))
}

given_a_site
given_a_slow_token 20000 2
plain_port=$(free_ports 1)
echo "server { listen 127.0.0.1:$plain_port; return 200 plain; }" >"$dir/web/plain.server"
given_a_service
given_nginx
then_pages_come

# It hangs: all eight wait at once, and a plain page comes meanwhile.
kill -STOP "$service_pid"
begun=$(now_ms)
eight_handshakes &
waiting=$!
for _ in 1 2 3 4 5; do
  asked=$(now_ms)
  curl --silent --max-time 2 "http://127.0.0.1:$plain_port/" | grep -q plain || give_up "no plain page while handshakes wait"
  (($(now_ms) - asked < deadline_ms)) || give_up "a plain page waited $(($(now_ms) - asked)) ms for handshakes"
done
wait "$waiting" || true
(($(now_ms) - begun <= deadline_ms + 2 * slack_ms)) || give_up "eight handshakes that fail took $(($(now_ms) - begun)) ms"
then_the_error_log_says www-ec late
kill -CONT "$service_pid"
then_within $again_ms 'pages come again' page_comes

# It is killed while handshakes wait, which is before the token has answered one.
fault latency C_Sign 5000000
begun_before=$(signatures_begun)
(
  wait_until $site_patience_s 'a signature under way' more_signatures_begun "$begun_before"
  stop "$service_pid" KILL
) &
begun=$(now_ms)
eight_handshakes
((failed == 8)) || give_up "expected 8 handshakes to fail; $failed did"
killed_ms=$(($(now_ms) - begun))
((killed_ms <= deadline_ms + 2 * slack_ms)) || give_up "they took $killed_ms ms"
record_goal F12 'eight handshakes whose service is killed: all failed after' $killed_ms ms 'at most' $((deadline_ms + 50))
then_the_error_log_says www-ec unreachable
then_a_handshake_fails_within $((deadline_ms + slack_ms))
record_goal F12 'a handshake while the service is away: failed after' "$took_ms" ms 'at most' $((deadline_ms + 50))

# Nothing burns while the service is away.
ticks=$(worker_ticks)
sleep 1
(($(worker_ticks) - ticks <= 2)) || give_up "the worker is busy with nothing: $(($(worker_ticks) - ticks)) of 100 ticks"

fault latency C_Sign 20000
made=$(signers_made)
given_a_service
then_within $again_ms 'pages come again' page_comes
record_goal F12 'pages come again without a reload, after the service is back' "$took_ms" ms 'at most' 1000
given_a_whole_pool "$made"
eight_handshakes
((failed == 0)) || give_up "$failed of 8 handshakes failed with the service back"
then_pages_come
then_no_worker_came_to_harm
