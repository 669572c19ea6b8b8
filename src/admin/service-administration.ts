import { SignetError } from '../errors.js';
import { type GetStatusResponse, type ReloadResponse, SignerState as WireState } from '../gen/signet/v1/admin.js';
import type { KeyRing, RingKey } from '../keys/key-ring.js';
import type { Pool, SignerState, SignerView } from '../pool/pool.js';
import type { Scheduler } from '../scheduler/scheduler.js';
import type { Administration } from './admin-service.js';

/** What an administrator sees and moves. */
export interface Administered {
  readonly keys: KeyRing;
  readonly pool: Pool;
  readonly scheduler: Scheduler;
  readonly tally: { readonly signatures: number; readonly errors: number };
  readonly version: string;
  readonly isDraining: () => boolean;
  readonly reload: () => { readonly problems: readonly string[]; readonly changed: readonly string[] };
  readonly drain: () => void;
}

export class ServiceAdministration implements Administration {
  readonly #service: Administered;

  constructor(service: Administered) {
    this.#service = service;
  }

  status(): GetStatusResponse {
    const { keys, pool, scheduler, tally, version, isDraining } = this.#service;
    const signers = pool.signers();
    const draining = isDraining();
    return {
      version,
      pid: process.pid,
      uptimeS: Math.floor(process.uptime()),
      serving: !draining && signers.some((signer) => signer.state === 'ready'),
      draining,
      queued: scheduler.queued,
      inFlight: signers.reduce((sum, signer) => sum + signer.inFlight, 0),
      signatures: tally.signatures,
      errors: tally.errors,
      signers: signers.map(signerStatus),
      keys: keys.all().map((key) => keyStatus(key, keys.isDisabled(key.key.spkiSha256))),
    };
  }

  async setKeyState(spkiSha256: string, disabled: boolean): Promise<void> {
    if (this.#service.keys.setDisabled(spkiSha256, disabled)) return;
    throw new SignetError(
      'invalid_argument',
      `expected the SPKI SHA-256 of a key that a token holds; none has ${spkiSha256}; see signet keys list --service`,
    );
  }

  async refreshKeys(): Promise<number> {
    await this.#service.pool.refreshKeys();
    return this.#service.keys.all().length;
  }

  reload(): ReloadResponse {
    const { problems, changed } = this.#service.reload();
    return { problems: [...problems], changed: [...changed] };
  }

  drain(): void {
    this.#service.drain();
  }
}

const WIRE_STATE: Readonly<Record<SignerState, WireState>> = {
  starting: WireState.SIGNER_STATE_STARTING,
  ready: WireState.SIGNER_STATE_READY,
  draining: WireState.SIGNER_STATE_DRAINING,
  dead: WireState.SIGNER_STATE_DEAD,
};

function signerStatus(signer: SignerView) {
  return { ...signer, state: WIRE_STATE[signer.state] };
}

function keyStatus(key: RingKey, disabled: boolean) {
  return { key: { ...key.message, certificateChain: [] }, disabled, tokens: [...key.tokens] };
}
