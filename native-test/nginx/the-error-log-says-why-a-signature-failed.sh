# Key, socket, and whether the service was unreachable, late, refused by policy or failed in the token.
source "$(dirname "$0")/lib.sh"

when() {
  : >"$dir/error.log"
  if page_comes; then give_up "expected the handshake to fail"; fi
}

given_a_site
given_a_faulty_token
given_nginx
when
then_the_error_log_says www-ec "$dir/run/web.sock" unreachable

given_a_service
page_comes || give_up "no page while all is well"

kill -STOP "$service_pid"
when
then_the_error_log_says www-ec "$dir/run/web.sock" late
kill -CONT "$service_pid"

signet "$dir" keys disable --key www-ec >/dev/null 2>&1
when
then_the_error_log_says www-ec "$dir/run/web.sock" refused
signet "$dir" keys enable --key www-ec >/dev/null 2>&1
page_comes || give_up "no page after the key was enabled again"

fault fail C_Sign CKR_DEVICE_ERROR forever
when
then_the_error_log_says www-ec "$dir/run/web.sock" token
fault clear
then_within 10000 'pages come again' page_comes
