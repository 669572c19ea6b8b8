# kill -9 under load, while another signer lives; the pool is whole again within 2 s.
source "$(dirname "$0")/lib.sh"
given_a_site
given_a_service
given_a_whole_pool
given_nginx
given_handshake_load

for _ in 1 2 3; do
  then_a_killed_signer_is_replaced_within $replaced_ms
  after_more_handshakes 50
done
then_no_handshake_was_lost
