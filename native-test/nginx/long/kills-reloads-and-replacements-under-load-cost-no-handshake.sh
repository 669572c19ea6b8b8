# Again and again, while handshakes go on; and the last service has not grown by more than what a soak may.
source "$(dirname "$0")/../lib.sh"

rounds=10
given_a_site
given_a_service
given_a_whole_pool
given_nginx
given_handshake_load
# Those of a worker come and go with its connections; the master's do not.
descriptors=$(master_descriptors)

for round in $(seq $rounds); do
  echo "round $round"
  then_a_killed_signer_is_replaced_within $replaced_ms
  after_more_handshakes 100
  reload_nginx
  after_more_handshakes 100
  old=$service_pid
  made=$(signers_made)
  given_a_service
  given_a_whole_pool "$made"
  stop "$old"
  after_more_handshakes 100
done
then_no_handshake_was_lost
then_the_master_has_descriptors "$descriptors"
