source "$(dirname "$0")/lib.sh"
given_a_site
nginx_conf "$dir"

then_it_is_refused_without_the_provider_and_taken_with_it() {
  local output
  if output=$(OPENSSL_CONF=/dev/null PATH="$PATH:/usr/sbin" nginx -t -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" 2>&1); then
    give_up "nginx -t passed without the provider"
  fi
  grep -q "cannot load certificate key \"$dir/web/ec.key\"" <<<"$output" || give_up "nginx -t does not name the key:" "$output"
  output=$( (nginx_run "$dir" -t) 2>&1) || give_up "nginx -t fails with the provider:" "$output"
}

then_it_is_refused_without_the_provider_and_taken_with_it

# The second form has the label of a genuine key.
signet "$dir" keys export --key www-ec --form pkcs8 --out "$dir/web/second.key" 2>>"$dir/site.log"
mv "$dir/web/second.key" "$dir/web/ec.key"
grep -q -- '-----BEGIN PRIVATE KEY-----' "$dir/web/ec.key"
then_it_is_refused_without_the_provider_and_taken_with_it
