import type { Test } from 'tap';
import type { TokenConfig } from '../../src/config/schema.js';
import { listKeys } from '../fixtures/carriers.js';
import { faultsAround } from '../fixtures/faulty-token.js';
import { type ConfiguredToken, startService } from '../fixtures/running-service.js';
import { watchSigners } from '../fixtures/signer-status.js';
import { type ContractToken, mechanismsOf } from './contract-token.js';
import { makesKeys, signsWithAll } from './keys-and-schemes.js';
import { refusesMisfits } from './misfits.js';
import { outlivesItsSigners, servesWithFewSessions, servesWithFewSigners } from './signers.js';

const SIGNERS = 2;

/** What every token must do under a service, and what a service must do on every token. */
export async function contract(t: Test, token: ContractToken): Promise<void> {
  t.teardown(() => token.remove());
  const { name, config, folder, signersMax } = token;
  const mechanisms = await mechanismsOf(config);
  const made: string[] = [];
  await t.test(`${name}: keys of every kind that its mechanisms allow are made in it`, async (t) => {
    made.push(...(await makesKeys(t, token, mechanisms)));
  });

  await t.test(`${name}: as it is`, async (t) => {
    const service = await startService(t, configured(config), { signers: SIGNERS });
    await watchSigners(t, service).whole(SIGNERS);
    const keys = await listKeys(t, service.grpcAddress);
    t.same(keys.map(({ label }) => label).sort(), made.sort(), 'every key is served');
    await signsWithAll(t, mechanisms, service, keys);
    await t.test('a signer that is killed is replaced, and no request fails', (t) =>
      outlivesItsSigners(t, service, SIGNERS, keys),
    );
    service.kill('SIGTERM');
    t.equal(await service.exit(), 0);
  });

  await t.test(`${name}: behind the faulty module`, async (t) => {
    const faults = faultsAround({ ...config, folder });
    const { module, environment } = faults;
    const service = await startService(t, configured({ ...config, module, environment }), { signers: SIGNERS });
    await watchSigners(t, service).whole(SIGNERS);
    const keys = await listKeys(t, service.grpcAddress);
    await t.test('goal B2: no wrong key, scheme or length of a digest reaches C_SignInit', (t) =>
      refusesMisfits(t, service, faults, keys),
    );
    await t.test('a signer that finds no session left does not harm the others, and comes back', (t) =>
      servesWithFewSessions(t, service, faults, SIGNERS, keys),
    );
    service.kill('SIGTERM');
    t.equal(await service.exit(), 0);
  });

  if (signersMax === undefined) return;
  await t.test(`${name}: it takes ${signersMax} signers, and a service that is to have more serves with these`, (t) =>
    servesWithFewSigners(t, configured(config), signersMax),
  );
}

function configured(config: TokenConfig): ConfiguredToken {
  return { tokenConfig: (changes = {}) => ({ ...config, ...changes }) };
}
