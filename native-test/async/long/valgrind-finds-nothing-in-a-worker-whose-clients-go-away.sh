# Invalid memory, and what is lost for good, in NGINX's worker: handshakes, aborts, a reload, a service that was killed.
source "$(dirname "$0")/../lib.sh"

# valgrind is slow to start and to run.
site_patience_s=90
export VISIT_LIMIT_MS=60000

exec_nginx() {
  exec valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --suppressions="$dir/nginx.supp" --log-file="$dir/valgrind.%p" "$(command -v nginx)" "$@"
}

cat >"$dir/nginx.supp" <<'SUPP'
{
   what nginx itself leaves behind
   Memcheck:Leak
   match-leak-kinds: definite
   fun:malloc
   fun:ngx_alloc
   fun:ngx_set_environment
}
SUPP

valgrind_is_silent() {
  local found
  found=$(cat "$dir"/valgrind.* | grep -v "set address range perms\|Warning: " || true)
  [[ -z "$found" ]] || give_up "valgrind says:" "$(head -n 60 <<<"$found")"
}

given_a_site
given_a_slow_token 30000 2
sed -i 's|^sockets = .*|&\ntimeout_ms = 4000|' "$dir/openssl.cnf"
given_a_service
given_nginx
given_visitors 6 40
after_more_visitors 60
reload_nginx
after_more_visitors 60
then_only_those_who_left_had_no_page

stop "$service_pid" KILL
page_comes && give_up "a page came without the service"
given_a_service
then_within 10000 'pages come again' page_comes
stop "$nginx_pid" QUIT
then_no_worker_came_to_harm
valgrind_is_silent
