# Clients that abort, reloads, upgrades, killed signers, a replaced service, one that is killed and comes back, and signatures that
# take longer than client_header_timeout, in a random order. Only those fail that left, or that came while the service was away or
# too slow; at the end the worker is idle and has kept nothing.
source "$(dirname "$0")/../lib.sh"

mix_s=${MIX_SECONDS:-600}
# Of a worker that has seen hundreds of handshakes at once, in kB; a leak of each of some thousand aborted ones would be 34,000.
worker_kb_max=30000

eval "$(declare -f nginx_conf | sed '1s/nginx_conf/nginx_conf_with_patience/')"
nginx_conf() {
  nginx_conf_with_patience "$@"
  sed -i 's/access_log off;/access_log off; client_header_timeout 2s;/; s/^events/worker_shutdown_timeout 5s;\n&/' "$1/nginx.conf"
}

in_trouble() {
  touch "$dir/load.json.trouble"
  "$@"
  wait_until $site_patience_s 'pages to come again' page_comes
  rm "$dir/load.json.trouble"
}

kill_service() {
  stop "$service_pid" KILL
  given_a_service
}

be_slow() {
  fault latency C_Sign 2500000
  sleep 3
  fault latency C_Sign 30000 20000
}

replace_service() {
  local old=$service_pid
  given_a_service
  stop "$old" TERM
}

kill_signer() {
  kill -KILL "$(signers | head -n 1)"
}

given_a_site
given_a_slow_token 30000 4
given_patient_clients
given_a_service
given_nginx_as_a_daemon
given_visitors 12 40
end=$((SECONDS + mix_s))
while ((SECONDS < end)); do
  case $((RANDOM % 6)) in
    0) what=reload_nginx ;;
    1) what=upgrade_nginx ;;
    2) what=replace_service ;;
    3) what=kill_signer ;;
    4) what='in_trouble kill_service' ;;
    5) what='in_trouble be_slow' ;;
  esac
  echo "$what"
  $what
  after_more_visitors 40
done
then_only_those_who_left_had_no_page

echo "worker: $(worker_kb) kB, $(worker_descriptors) descriptors"
wait_until $site_patience_s 'the descriptors to be closed' worker_is_alone 12
(($(worker_kb) <= worker_kb_max)) || give_up "the worker has $(worker_kb) kB"
ticks=$(worker_ticks)
sleep 1
(($(worker_ticks) - ticks <= 2)) || give_up "the worker is busy with nothing: $(($(worker_ticks) - ticks)) of 100 ticks"
then_no_worker_came_to_harm
