import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { folder, startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { until } from '../../../test/fixtures/until.js';
import { HealthClient, HealthCheckResponse_ServingStatus as Serving } from '../../gen/grpc/health/v1/health.js';

t.test('health is told per service and as it changes', async (t) => {
  const { address, health } = await startGrpc(t);
  const client = grpcClient(t, HealthClient, address);
  const check = (service: string) => unary((...call) => client.check({ service }, ...call));
  t.same(await check(''), { status: Serving.SERVING });
  t.same(await check('signet.v1.SigningService'), { status: Serving.SERVING });
  await t.rejects(check('nobody'), { code: status.NOT_FOUND });
  const seen: Serving[] = [];
  const watch = client.watch({ service: 'signet.v1.KeyService' });
  watch.on('data', (response) => seen.push(response.status)).on('error', () => undefined);
  await until(() => seen.length === 1);
  for (const up of [true, false, false, true]) {
    health.up = up;
    health.changed();
  }
  await until(() => seen.length === 3);
  t.same(seen, [Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]);
  health.up = false;
  t.same(await check(''), { status: Serving.NOT_SERVING });
  watch.cancel();
});

t.test('reflection tells what there is, with buf curl', async (t) => {
  const descriptorFile = join(folder(t), 'descriptor.binpb');
  await promisify(execFile)('npx', ['buf', 'build', '-o', descriptorFile]);
  const { path } = await startGrpc(t, { descriptorFile });
  const { stdout } = await promisify(execFile)('npx', [
    ...['buf', 'curl', '--protocol', 'grpc', '--http2-prior-knowledge', '--unix-socket', path],
    ...['--reflect', '-d', '{"service":"signet.v1.KeyService"}', 'http://localhost/grpc.health.v1.Health/Check'],
  ]);
  t.same(JSON.parse(stdout), { status: 'SERVING' });
});
