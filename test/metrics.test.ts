import t from 'tap';
import { METRICS } from '../src/metrics/metric-names.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { until } from './fixtures/until.js';

t.test('Prometheus reads of a running service what it did', async (t) => {
  const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { signers: 2, more: { metrics: { port: 0 } } });
  const { addresses } = (await service.logged('serving')) as { addresses: string[] };
  const address = addresses.find((one) => one.startsWith('http://127.0.0.1:')) as string;
  const scrape = async () => (await fetch(address)).text();
  const has = async (line: string) => (await scrape()).split('\n').includes(line);

  const keys = (await service.logged('keys found')).keys as { spkiSha256: string }[];
  const spkiSha256 = Buffer.from(keys[0]?.spkiSha256 ?? '', 'hex');
  const client = await SocketClient.hello(service.webSocket);
  for (let id = 2; id < 7; id++) {
    client.sign(id, { spkiSha256 });
    t.equal((await client.answer(id)).body?.$case, 'sign');
  }
  client.sign(7, { spkiSha256: Buffer.alloc(32, 7) });
  await client.answer(7);

  const text = await scrape();
  for (const { name, type } of Object.values(METRICS)) t.match(text, `# TYPE ${name} ${type}\n`);
  const scheme = 'ecdsa_secp256r1_sha256';
  const made = `{principal="web",use="digest",scheme="${scheme}",outcome="ok"} 5`;
  t.match(text, `signet_sign_requests_total${made}\n`);
  t.match(text, `principal="web",use="_none",scheme="${scheme}",outcome="permission_denied"} 1\n`);
  t.match(text, `signet_queue_seconds_count{scheme="${scheme}"} 5\n`);
  t.match(text, `signet_token_seconds_count{token="test",scheme="${scheme}"} 5\n`);
  t.match(text, 'signet_connections{transport="socket"} 1\n');
  t.match(text, 'signet_keys{state="in_use"} 1\n');
  t.match(text, 'signet_in_flight_requests 0\n');
  t.match(text, 'signet_audit_lines_lost_total 0\n');
  t.match(text, /^process_open_fds [1-9]/m);

  await until(() => has('signet_signers{token="test",state="ready"} 2'));
  const victim = service.log.find((line) => line.msg === 'signer is ready') as { signer: number };
  process.kill(victim.signer, 'SIGKILL');
  await until(() => has('signet_signer_restarts_total{token="test"} 1'));
  client.close();
  await until(() => has('signet_connections{transport="socket"} 0'));
});
