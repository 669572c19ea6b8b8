# The preload library, instrumented, in a stock NGINX whose clients abort; a reload, a killed service.
source "$(dirname "$0")/../lib.sh"

site_patience_s=60
export VISIT_LIMIT_MS=30000
built="$root/build/native-test/async-asan"

make --silent -C "$root" -f native/async/async.mk SIGNET_BUILD="$built" SIGNET_OPTIMISE='-O1 -g -fno-omit-frame-pointer' \
  SIGNET_SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' signet-async >&2
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $built/signet_async.so"
# NGINX does not free what ends with its process; leaks are valgrind's part.
export ASAN_OPTIONS="detect_leaks=0:log_path=$dir/asan:detect_stack_use_after_return=0"

given_a_site
given_a_slow_token 30000 2
given_a_service
given_nginx
grep -q 'async-asan/signet_async.so' "/proc/$(workers)/maps" || give_up "NGINX has not the instrumented library"
given_visitors 12 40
after_more_visitors 250
reload_nginx
after_more_visitors 150
then_only_those_who_left_had_no_page

stop "$service_pid" KILL
page_comes && give_up "a page came without the service"
given_a_service
then_within 10000 'pages come again' page_comes
stop "$nginx_pid" QUIT
then_no_worker_came_to_harm
# libcrypto switches stacks, which ASan remarks on.
found=$(cat "$dir"/asan.* 2>/dev/null | grep -v 'ASan is ignoring requested __asan_handle_no_return\|False positive error reports may follow\|For details see' | head -n 60 || true)
[[ -z "$found" ]] || give_up "AddressSanitizer says:" "$found"
