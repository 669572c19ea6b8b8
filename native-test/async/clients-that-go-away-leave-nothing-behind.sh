# Half of the clients close while the signature is being made: neither memory nor descriptors stay, and the others get their pages.
source "$(dirname "$0")/lib.sh"

# What the worker may grow by in the second half, in kB; each of its some 170 paused handshakes, if it were kept, would be 34 or more.
growth_kb_max=1000

given_a_site
given_a_slow_token 60000 8
given_patient_clients
given_a_service
given_nginx
given_visitors 24 50

after_more_visitors 250
kb=$(worker_kb)
after_more_visitors 350
echo "worker: $kb kB, later $(worker_kb) kB"
(($(worker_kb) - kb <= growth_kb_max)) || give_up "memory leaks: more than $growth_kb_max kB"
then_only_those_who_left_had_no_page
(($(load_count aborted) > 150)) || give_up "too few went away"

# The listening socket, the epoll set, the log, the channel to the master, the service's socket, and what stdin and stdout are.
wait_until $site_patience_s 'the descriptors to be closed' worker_is_alone 12
ticks=$(worker_ticks)
sleep 1
(($(worker_ticks) - ticks <= 2)) || give_up "the worker is busy with nothing: $(($(worker_ticks) - ticks)) of 100 ticks"
then_no_worker_came_to_harm
