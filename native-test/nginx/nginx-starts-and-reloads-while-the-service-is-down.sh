# Handshakes then fail within the client's deadline, and pass again at once when the service is back, with no reload.
source "$(dirname "$0")/lib.sh"
given_a_site
given_nginx
reload_nginx
then_a_handshake_fails_within $((deadline_ms + slack_ms))

given_a_service
then_within $again_ms 'pages come again' page_comes
then_pages_come

# A service that is there and does not answer.
kill -STOP "$service_pid"
then_a_handshake_fails_within $((deadline_ms + slack_ms))
reload_nginx
then_a_handshake_fails_within $((deadline_ms + slack_ms))
kill -CONT "$service_pid"
then_within $again_ms 'pages come again' page_comes

# One that was killed and leaves its sockets behind.
stop "$service_pid" KILL
then_a_handshake_fails_within $((deadline_ms + slack_ms))
given_a_service
then_within $again_ms 'pages come again' page_comes
then_pages_come
