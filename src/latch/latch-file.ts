import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { SignetError } from '../errors.js';
import { type Owner, replaceFile } from '../replace-file.js';
import type { LoginLatch, Refusal } from '../shared-state.js';

/**
 * The latch in a file of the state folder. It is read for every login, which is rare, so that what another process wrote counts too: the
 * service before, one that runs beside it, the command line.
 *
 * A PIN is short, so only a slow hash of it lies there, with a salt of its token's; the file is its owner's alone.
 */
export class LatchFile implements LoginLatch {
  readonly #file: string;
  readonly #stateDir: string;
  readonly #nowMs: () => number;

  /** Throws SignetError invalid_argument if the file is there and is not one of these: guessing would try PINs. */
  constructor(stateDir: string, nowMs = Date.now) {
    this.#stateDir = stateDir;
    this.#file = join(stateDir, 'login-latch.json');
    this.#nowMs = nowMs;
    this.#read();
  }

  refusal(serial: string, pin: Uint8Array): Refusal | undefined {
    const mine = this.#read().refused.filter((each) => each.serial === serial);
    if (mine.length === 0) return undefined;
    const hash = hashOf(pin, saltOf(mine));
    const closed = mine.find((each) => isSame(hash, each));
    return closed && { serial, token: closed.token, reason: closed.reason, time: closed.time };
  }

  close(refusal: Refusal, pin: Uint8Array): void {
    const { refused, permits } = this.#read();
    const others = refused.filter(({ serial }) => serial !== refusal.serial);
    const mine = refused.filter(({ serial }) => serial === refusal.serial);
    const salt = saltOf(mine);
    const hash = hashOf(pin, salt);
    const closed = { ...refusal, salt: salt.toString('base64'), hash: hash.toString('base64') };
    const kept = mine.filter((each) => !isSame(hash, each)).slice(-(REFUSALS_PER_TOKEN_MAX - 1));
    this.#write({ refused: [...others, ...kept, closed], permits });
  }

  accepted(serial: string): void {
    this.#forget((each) => each.serial === serial);
  }

  release(token: string, serial?: string): boolean {
    const counted = this.#forget((each) => each.token === token || each.serial === serial);
    const { refused, permits } = this.#read();
    const others = permits.filter((permit) => permit.token !== token);
    this.#write({ refused, permits: [...others, { token, untilMs: this.#nowMs() + PERMIT_MS }] });
    return counted;
  }

  takePermit(token: string): boolean {
    const { refused, permits } = this.#read();
    const mine = permits.find((permit) => permit.token === token);
    if (!mine) return false;
    this.#write({ refused, permits: permits.filter((permit) => permit !== mine) });
    return this.#nowMs() < mine.untilMs;
  }

  #forget(counts: (refused: Closed) => boolean): boolean {
    const { refused, permits } = this.#read();
    const left = refused.filter((each) => !counts(each));
    if (left.length === refused.length) return false;
    this.#write({ refused: left, permits });
    return true;
  }

  #read(): Content {
    const text = readIfThere(this.#file);
    if (text === undefined) return EMPTY;
    const content = contentSchema.safeParse(parsed(text));
    if (content.success) return content.data;
    throw new SignetError(
      'invalid_argument',
      `expected ${this.#file} to hold what tokens said to PINs, as Signet wrote it; remove it if every PIN may be tried again`,
    );
  }

  #write(content: Omit<Content, 'version'>): void {
    mkdirSync(this.#stateDir, { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ version: 1, ...content }, null, 2);
    replaceFile(this.#file, Buffer.from(`${text}\n`), 0o600, this.#owner());
  }

  /** What root writes by the command line is still the service's. */
  #owner(): Owner | undefined {
    return process.geteuid?.() === 0 ? statSync(this.#stateDir) : undefined;
  }
}

/** How long a release permits a login that a token warns of, in milliseconds: whoever released it waits for that login. */
const PERMIT_MS = 600_000;
/** A PIN file that goes back to a PIN of before costs no login either; more are forgotten, the oldest first. */
const REFUSALS_PER_TOKEN_MAX = 4;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const closedSchema = z.strictObject({
  serial: z.string(),
  token: z.string(),
  reason: z.string(),
  time: z.string(),
  salt: z.base64(),
  hash: z.base64(),
});
const contentSchema = z.strictObject({
  version: z.literal(1),
  refused: z.array(closedSchema),
  permits: z.array(z.strictObject({ token: z.string(), untilMs: z.number() })),
});
type Content = z.output<typeof contentSchema>;
type Closed = z.output<typeof closedSchema>;

const EMPTY: Content = { version: 1, refused: [], permits: [] };

/** All PINs of a token have one salt, so that a login costs one hash. */
function saltOf([first]: readonly Closed[]): Buffer {
  return first ? Buffer.from(first.salt, 'base64') : randomBytes(SALT_BYTES);
}

function isSame(hash: Buffer, closed: Closed): boolean {
  const known = Buffer.from(closed.hash, 'base64');
  return known.length === HASH_BYTES && timingSafeEqual(hash, known);
}

/** About 50 ms; asked for only where a token has refused a PIN. */
function hashOf(pin: Uint8Array, salt: Uint8Array): Buffer {
  return scryptSync(pin, salt, HASH_BYTES, { N: 2 ** 14, r: 8, p: 1 });
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SignetError('invalid_argument', `${file} cannot be read: ${(thrown as Error).message}`, {
      cause: thrown,
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
