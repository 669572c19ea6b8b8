# client_header_timeout ends a handshake that waits: the connection is closed, its request withdrawn, and the late answer does no harm.
source "$(dirname "$0")/lib.sh"

token_ms=4000

given_a_site
given_a_slow_token $((token_ms * 1000)) 4
given_patient_clients
eval "$(declare -f nginx_conf | sed '1s/nginx_conf/nginx_conf_with_patience/')"
nginx_conf() {
  nginx_conf_with_patience "$@"
  sed -i 's/access_log off;/access_log off; client_header_timeout 1s;/' "$1/nginx.conf"
}
given_a_service
given_nginx
for _ in 1 2; do
  begun=$(now_ms)
  for number in 1 2 3 4; do
    page_comes && give_up "a page came in spite of the timeout" &
    waiting[number]=$!
  done
  for number in 1 2 3 4; do wait "${waiting[number]}" || true; done
  (($(now_ms) - begun < token_ms)) || give_up "the timeout of 1 s took $(($(now_ms) - begun)) ms"
done
grep -q 'client timed out' "$dir/error.log" || give_up "NGINX did not time out"
fault latency C_Sign 5000
# Once the late answers are over.
then_within 10000 'pages come again' page_comes
then_pages_come
then_no_worker_came_to_harm
