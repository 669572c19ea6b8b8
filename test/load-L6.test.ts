import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { watchLateness } from './fixtures/lateness.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { type Answer, loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { firstKey } from './reliability/service-key.js';

const SIGNERS = 2;
const IN_FLIGHT_MAX = 1_024;
const CONNECTIONS_MAX = 1_000;
const MORE = 10;
const TIMEOUT_MS = 20_000;
/** So long that none is done before the last has come. */
const TOKEN_US = 2_000_000;
/** What this process was late itself is added. */
const REFUSED_MS_MAX = 1_000;

// style: long because one service, started once, gets all of it
t.test(
  'L6: a connection has 1,024 requests in flight, a service 1,000 connections; more is refused at once',
  async (t) => {
    const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
    t.teardown(() => token.remove());
    const limits = {
      connections_max: CONNECTIONS_MAX,
      in_flight_per_connection_max: IN_FLIGHT_MAX,
      sign_timeout_ms: 30_000,
    };
    const service = await startService(t, token, { signers: SIGNERS, limits, more: { log: { level: 'info' } } });
    await watchSigners(t, service).whole(SIGNERS);
    const request = loadRequest(await firstKey(service), TIMEOUT_MS);

    await t.test('1,024 requests wait on one connection, and what comes on top is refused', async (t) => {
      const busy = watchLateness(t);
      const client = await PipelinedClient.open(service.webSocket);
      t.equal((await client.request(request)).code, 'OK');
      token.order({ latencyUs: TOKEN_US });
      const answers: Answer[] = [];
      for (let i = 0; i < IN_FLIGHT_MAX + MORE; i++) client.ask(request, (answer) => answers.push(answer));
      await until(() => answers.filter(({ code }) => code === 'RESOURCE_EXHAUSTED').length >= MORE);
      token.order({ clear: true });
      await until(() => answers.length === IN_FLIGHT_MAX + MORE, TIMEOUT_MS);
      const refused = answers.filter(({ code }) => code === 'RESOURCE_EXHAUSTED');
      const signed = answers.filter(({ code }) => code === 'OK');
      const refusedMs = Math.max(...refused.map(({ tookMs }) => tookMs));
      t.same([signed.length, refused.length], [IN_FLIGHT_MAX, MORE]);
      t.ok(refusedMs < REFUSED_MS_MAX + busy.ofRequestMs, `refused after ${refusedMs.toFixed(0)} ms, not queued`);
      recordGoal(
        {
          id: 'L6',
          goal: 'requests in flight on a connection, all signed',
          measured: signed.length,
          unit: '',
          must: 'at least',
          bound: IN_FLIGHT_MAX,
        },
        {
          id: 'L6',
          goal: 'requests beyond them that were not refused',
          measured: MORE - refused.length,
          unit: '',
          must: 'at most',
          bound: 0,
        },
      );
      await client.close();
    });

    await t.test('1,000 connections sign, and one more is closed', async (t) => {
      const clients: PipelinedClient[] = [];
      t.teardown(() => Promise.all(clients.map((client) => client.close())));
      for (let i = 0; i < CONNECTIONS_MAX; i++) clients.push(await PipelinedClient.open(service.webSocket));
      for (let i = 0; i < MORE; i++) await t.rejects(PipelinedClient.open(service.webSocket));
      const answers = await Promise.all(clients.map((client) => client.request(request)));
      const signed = answers.filter(({ code }) => code === 'OK').length;
      t.equal(signed, CONNECTIONS_MAX);
      recordGoal({
        id: 'L6',
        goal: 'connections that sign at once',
        measured: signed,
        unit: '',
        must: 'at least',
        bound: CONNECTIONS_MAX,
      });
      await clients.pop()?.close();
      await until(async () => {
        const client = await PipelinedClient.open(service.webSocket).catch(() => undefined);
        if (client) clients.push(client);
        return client !== undefined;
      });
    });
  },
);
