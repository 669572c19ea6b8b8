# Neither memory nor descriptors of NGINX's master, which loads the keys anew each time.
source "$(dirname "$0")/lib.sh"

# What the master may grow by in the second half, in kB: 15 reloads that leaked one key each would be more.
growth_kb_max=200

master_kb() {
  awk '/^VmRSS/ { print $2 }' "/proc/$nginx_pid/status"
}

given_a_site
given_a_service
given_nginx
page_comes || give_up "no page before the first reload"
descriptors=$(master_descriptors)
for turn in $(seq 30); do
  reload_nginx
  page_comes || give_up "no page after reload $turn"
  if ((turn == 15)); then kb=$(master_kb); fi
done

then_the_master_has_descriptors "$descriptors"
echo "$descriptors descriptors before and after; after 15 reloads $kb kB, after 30 $(master_kb) kB"
(($(master_kb) - kb <= growth_kb_max)) || give_up "memory leaks: more than $growth_kb_max kB"
