# nginx -s reload and USR2 under load, each while handshakes wait; the new binary has the preload library too.
source "$(dirname "$0")/lib.sh"

eval "$(declare -f nginx_conf | sed '1s/nginx_conf/nginx_conf_before_upgrade/')"
nginx_conf() {
  nginx_conf_before_upgrade "$@"
  # It answers to USR2 only as a daemon.
  sed -i 's/^env OPENSSL_CONF;/&\nenv LD_PRELOAD;/; s/^daemon off;//' "$1/nginx.conf"
}

# By its whole path, which it executes again.
exec_nginx() {
  "$(command -v nginx)" "$@"
}

given_a_daemon() {
  nginx_conf "$dir"
  (nginx_run "$dir" </dev/null >>"$dir/nginx.out" 2>&1)
  nginx_pid=$(cat "$dir/nginx.pid")
  started+=("$nginx_pid")
}

new_master_is_there() {
  local pid
  pid=$(cat "$dir/nginx.pid" 2>/dev/null) && [[ -n "$pid" && "$pid" != "$nginx_pid" ]] && pgrep -P "$pid" >/dev/null
}

given_a_site
given_a_slow_token 30000 4
given_a_service
given_a_daemon
given_visitors 8
after_more_visitors 30
for _ in 1 2; do
  reload_nginx
  after_more_visitors 30
done

old=$nginx_pid
kill -USR2 "$old"
wait_until $site_patience_s 'the new master' new_master_is_there
nginx_pid=$(cat "$dir/nginx.pid")
started+=("$nginx_pid")
grep -q signet_async.so "/proc/$(workers)/maps" || give_up "the upgraded NGINX has not the preload library"
kill -QUIT "$old"
wait_until $site_patience_s 'the end of the old master' has_ended "$old"
after_more_visitors 60
then_only_those_who_left_had_no_page
then_no_worker_came_to_harm
