#!/usr/bin/env bash
# A client that has static-RSA suites only gets an alert at once, NGINX's log says what to do, and handshakes with ECDHE go
# on; with !kRSA a client that prefers static RSA gets ECDHE.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
given_a_site
cat >"$dir/web/no-krsa.server" <<CONF
  server {
    listen 127.0.0.1:$(free_ports 1 | tee "$dir/no-krsa.port") ssl;
    server_name rsa.signet.test;
    ssl_ciphers HIGH:!aNULL:!MD5:!kRSA;
    ssl_certificate $dir/web/rsa.crt;
    ssl_certificate_key $dir/web/rsa.key;
    location / { return 200 "only ECDHE\n"; }
  }
CONF
given_a_service
given_nginx

for suite in AES128-SHA AES128-GCM-SHA256 AES256-GCM-SHA384; do
  if fetch "$dir" rsa.signet.test --tls-max 1.2 --ciphers "$suite" -o /dev/null 2>"$dir/said"; then
    give_up "expected $suite to be refused; a page came"
  fi
  grep -q 'alert' "$dir/said" || give_up "expected an alert for $suite; curl said:" "$(cat "$dir/said")"
  fetch "$dir" rsa.signet.test --tls-max 1.2 --ciphers "ECDHE-RSA-$([[ $suite == *GCM* ]] && echo "$suite" || echo AES128-SHA)" -o /dev/null ||
    give_up "no page with ECDHE after $suite"
done
then_pages_come
wait_until $site_patience_s "a line of NGINX's error log" grep -q 'no decryption and no static RSA.*!kRSA' "$dir/error.log"

https_port=$(cat "$dir/no-krsa.port")
fetch "$dir" rsa.signet.test --tls-max 1.2 --ciphers AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256 | grep -q 'only ECDHE'
echo "with !kRSA a client that prefers static RSA got ECDHE"
