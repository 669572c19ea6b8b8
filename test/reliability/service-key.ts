import type { RunningService } from '../fixtures/running-service.js';

/** The SPKI SHA-256 of the first key of a service, as requests name it. */
export async function firstKey(service: RunningService): Promise<Buffer> {
  return (await keysOf(service))[0] ?? Buffer.alloc(0);
}

/** Of all keys, in the order in which the service found them. */
export async function keysOf(service: RunningService): Promise<Buffer[]> {
  const { keys } = (await service.logged('keys found')) as { keys: { spkiSha256: string }[] };
  return keys.map(({ spkiSha256 }) => Buffer.from(spkiSha256, 'hex'));
}
