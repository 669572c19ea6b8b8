# Again and again, while handshakes go on; and the last service has not grown by more than what a soak may.
source "$(dirname "$0")/../lib.sh"

rounds=10
# Descriptors of NGINX's worker come and go with its connections; those of its master do not.
given_a_site
given_a_service
given_nginx
given_handshake_load
descriptors=$(find "/proc/$nginx_pid/fd" -mindepth 1 | wc -l)

for round in $(seq $rounds); do
  kill -KILL "$(signers | shuf -n 1)"
  then_within 5000 "round $round: the pool is whole again" pool_is_whole 2
  after_more_handshakes 100
  reload_nginx
  after_more_handshakes 100
  old=$service_pid
  given_a_service
  stop "$old"
  after_more_handshakes 100
done
then_no_handshake_was_lost
now=$(find "/proc/$nginx_pid/fd" -mindepth 1 | wc -l)
((now == descriptors)) || give_up "NGINX's master had $descriptors descriptors and has $now"
