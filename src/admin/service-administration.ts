import { SignetError } from '../errors.js';
import {
  type GetStatusResponse,
  type ReloadResponse,
  SignerState as WireSignerState,
  TokenState as WireTokenState,
} from '../gen/signet/v1/admin.js';
import type { KeyRing, RingKey } from '../keys/key-ring.js';
import type { Pool, SignerState, SignerView, TokenState, TokenView } from '../pool/pool.js';
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
      tokens: pool.tokens().map(tokenStatus),
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

  setTokenState(token: string, drained: boolean): void {
    if (!this.#service.pool.setTokenDrained(token, drained)) throw this.#noSuchToken(token);
  }

  unlatchToken(token: string): boolean {
    const wasLatched = this.#service.pool.unlatchToken(token);
    if (wasLatched === undefined) throw this.#noSuchToken(token);
    return wasLatched;
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

  #noSuchToken(token: string): SignetError {
    const names = this.#service.pool.tokens().map(({ name }) => name);
    return new SignetError('invalid_argument', `expected one of the tokens ${names.join(', ')}; "${token}" came`);
  }
}

const WIRE_SIGNER_STATE: Readonly<Record<SignerState, WireSignerState>> = {
  starting: WireSignerState.SIGNER_STATE_STARTING,
  ready: WireSignerState.SIGNER_STATE_READY,
  recovering: WireSignerState.SIGNER_STATE_RECOVERING,
  draining: WireSignerState.SIGNER_STATE_DRAINING,
  dead: WireSignerState.SIGNER_STATE_DEAD,
};

function signerStatus(signer: SignerView) {
  return { ...signer, state: WIRE_SIGNER_STATE[signer.state] };
}

const WIRE_TOKEN_STATE: Readonly<Record<TokenState, WireTokenState>> = {
  serving: WireTokenState.TOKEN_STATE_SERVING,
  down: WireTokenState.TOKEN_STATE_DOWN,
  failing: WireTokenState.TOKEN_STATE_FAILING,
  draining: WireTokenState.TOKEN_STATE_DRAINING,
  drained: WireTokenState.TOKEN_STATE_DRAINED,
  latched: WireTokenState.TOKEN_STATE_LATCHED,
  quarantined: WireTokenState.TOKEN_STATE_QUARANTINED,
};

function tokenStatus({ state, ...view }: TokenView) {
  return { ...view, state: WIRE_TOKEN_STATE[state] };
}

function keyStatus(key: RingKey, disabled: boolean) {
  return { key: { ...key.message, certificateChain: [] }, disabled, tokens: [...key.tokens] };
}
