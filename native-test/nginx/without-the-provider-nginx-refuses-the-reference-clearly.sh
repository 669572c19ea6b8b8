source "$(dirname "$0")/lib.sh"
given_a_site
nginx_conf "$dir"

if output=$(OPENSSL_CONF=/dev/null PATH="$PATH:/usr/sbin" nginx -t -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" 2>&1); then
  give_up "nginx -t passed without the provider"
fi
grep -q "cannot load certificate key \"$dir/web/ec.key\"" <<<"$output" || give_up "nginx -t does not name the key:" "$output"

output=$( (nginx_run "$dir" -t) 2>&1) || give_up "nginx -t fails with the provider:" "$output"
