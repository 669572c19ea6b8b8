# nginx -s reload and USR2 under load, each while handshakes wait; the new binary has the preload library too.
source "$(dirname "$0")/lib.sh"

given_a_site
given_a_slow_token 30000 4
given_patient_clients
given_a_service
given_nginx_as_a_daemon
given_visitors 8
after_more_visitors 30
for _ in 1 2; do
  reload_nginx
  after_more_visitors 30
done

upgrade_nginx
grep -q signet_async.so "/proc/$(workers)/maps" || give_up "the upgraded NGINX has not the preload library"
after_more_visitors 60
signet "$dir" doctor >"$dir/doctor.out"
grep -q "pid $(workers) .*goes on while signatures are made" "$dir/doctor.out" || give_up "the doctor says:" "$(cat "$dir/doctor.out")"
then_only_those_who_left_had_no_page
then_no_worker_came_to_harm
