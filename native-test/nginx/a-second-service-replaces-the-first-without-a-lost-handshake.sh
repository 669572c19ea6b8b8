# The new one is bound, then the old one drained.
source "$(dirname "$0")/lib.sh"
given_a_site
given_a_service
given_nginx
given_handshake_load

for _ in 1 2; do
  old=$service_pid
  given_a_service
  [[ "$service_pid" != "$old" ]] || give_up "no second service"
  after_more_handshakes 20
  stop "$old" TERM
  after_more_handshakes 50
done
then_no_handshake_was_lost
