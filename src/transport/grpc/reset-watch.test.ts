import t from 'tap';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { signRequest } from '../../../test/fixtures/socket-client.js';
import { until } from '../../../test/fixtures/until.js';
import type { Caller } from '../../caller.js';
import { SigningServiceClient } from '../../gen/signet/v1/signing_service.js';
import { ResetWatch } from './reset-watch.js';

const caller = (uid: number, pid = 1): Caller => ({ kind: 'unix', role: 'app', uid, gid: 1, pid });

t.test('who takes back calls faster than he may is barred for a while, whatever connection he comes by', async (t) => {
  const watch = new ResetWatch();
  let nowMs = 0;
  const often = (count: number, who: Caller) =>
    Array.from({ length: count }, () => watch.note(who, nowMs)).filter(Boolean).length;
  t.equal(often(100, caller(1)), 0, 'a burst has its reasons');
  nowMs += 500;
  t.equal(often(25, caller(1, 2)), 0, 'and so has a steady trickle');
  t.equal(watch.isBarred(caller(1), nowMs), false);
  t.equal(often(3, caller(1, 3)), 3);
  t.equal(watch.isBarred(caller(1, 4), nowMs), true);
  t.equal(watch.isBarred(caller(2), nowMs), false, 'nobody else');
  nowMs += 29_999;
  t.equal(watch.isBarred(caller(1), nowMs), true);
  nowMs += 1;
  t.equal(watch.isBarred(caller(1), nowMs), false);
  often(2_000, caller(1));
  t.equal(watch.isBarred(caller(1), nowMs + 59_999), true, 'and longer the next time');
  t.equal(watch.isBarred(caller(1), nowMs + 60_000), false);
});

t.test('a connection whose calls are taken back as fast as they are made is cut', async (t) => {
  const { address, signing, transport } = await startGrpc(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const call = () => client.sign(signRequest(), () => undefined);
  const calls = Array.from({ length: 80 }, call);
  await signing.heldAtLeast(80);
  for (const each of calls) each.cancel();
  await until(() => signing.held.every(({ cancelled }) => cancelled));
  t.equal(transport.connections, 1, '80 may have reasons');
  const more = Array.from({ length: 800 }, call);
  await signing.heldAtLeast(880);
  for (const each of more) each.cancel();
  await until(() => transport.connections === 0);
});

/** The service must see a call before half of its time is over: what it sees later seems to be taken back early. */
const LATE_MS = 2_000;

t.test('calls whose time is over, and those that are answered, count for nothing', async (t) => {
  const { address, signing, transport } = await startGrpc(t);
  const client = grpcClient(t, SigningServiceClient, address);
  for (let n = 0; n < 250; n++) await unary((...call) => client.sign(signRequest(), ...call));
  signing.hold = true;
  const late = Array.from({ length: 250 }, () => unary((...call) => client.sign(signRequest(), ...call), LATE_MS));
  for (const { status, reason } of (await Promise.allSettled(late)) as PromiseRejectedResult[]) {
    if (status !== 'rejected' || !/DEADLINE_EXCEEDED/.test(String(reason))) t.fail(String(reason));
  }
  signing.hold = false;
  await unary((...call) => client.sign(signRequest(), ...call));
  t.equal(transport.connections, 1);
});
