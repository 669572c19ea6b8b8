# Servers that are no event loop, or one without edge-triggered epoll and without a descriptor in the SSL (Python's asyncio): their
# handshakes block as without the preload library, and pass.
source "$(dirname "$0")/lib.sh"

# To be started with &: exec, so that $! is the program and not a shell before it.
as_others() {
  exec env LD_PRELOAD="$preload" OPENSSL_CONF="$dir/openssl.cnf" "$@"
}

# then_it_serves NAME
then_it_serves() {
  wait_until $site_patience_s "the port of $1" grep -q '^ACCEPT' "$dir/$1.out"
  https_port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$dir/$1.out")
  for version in 1.2 1.3; do
    fetch "$dir" ec.signet.test --tlsv$version --tls-max $version -o /dev/null || give_up "no page from $1:" "$(tail "$dir/$1.out")"
  done
}

cat >"$dir/asyncio-server.py" <<'PYTHON'
import asyncio, ssl, sys

async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nHello\n")
    await writer.drain()
    writer.close()

async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    print("ACCEPT 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
PYTHON

given_a_site
given_a_slow_token 20000 2
given_a_service

as_others openssl s_server -accept 127.0.0.1:0 -cert "$dir/web/ec.crt" -key "$dir/web/ec.key" -www </dev/null \
  >"$dir/s_server.out" 2>&1 &
started+=($!)
then_it_serves s_server
as_others python3 "$dir/asyncio-server.py" "$dir/web/ec.crt" "$dir/web/ec.key" </dev/null >"$dir/asyncio.out" 2>&1 &
started+=($!)
then_it_serves asyncio

[[ $(LD_PRELOAD="$preload" cat /proc/self/comm) == cat ]] || give_up "a program without OpenSSL does not run"
