import { mkdtempSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import t from 'tap';
import { AuditLog } from './audit-log.js';
import { openLine } from './record.js';
import { verifyAudit } from './verify.js';

const log = pino({ level: 'silent' });

/** What may happen to the file between attempts. */
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ attempts: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ room: fc.integer({ min: 0, max: 2_500 }) }) },
  { weight: 2, arbitrary: fc.constant({ room: Number.POSITIVE_INFINITY }) },
  { weight: 1, arbitrary: fc.constant('restart' as const) },
  { weight: 1, arbitrary: fc.constant('takeover' as const) },
);

t.test('B12: whatever happens, the chain holds, and a line is in the file just when its answer left', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), (events) => play(events)),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('B12: the disk may be full after any byte of a line, before a restart', async (t) => {
  for (let room = 0; room < LINE_BYTES; room++) {
    await play([{ room }, 'restart', { room: Number.POSITIVE_INFINITY }, { attempts: 1 }]);
    await play([{ room }, { attempts: 2 }, 'restart', { attempts: 1 }]);
  }
  t.pass();
});

t.test('B12: another service may come while the last line is torn after any byte', async (t) => {
  for (let room = 0; room < LINE_BYTES; room++) await play([{ room }, { attempts: 1 }, 'takeover', { attempts: 2 }]);
  t.pass();
});

t.test('B12: all that a file has after it was begun may be parts of lines', async (t) => {
  await play([{ attempts: 3 }, { attempts: 6 }, { room: 1 }, { attempts: 1 }, { room: 1 }, 'restart']);
  t.pass();
});

/** About what the longest line of a scene has. */
const LINE_BYTES = 400;

/** Throws if the chain does not hold, or if a line or an answer is there without the other. */
async function play(events: readonly Event[]): Promise<void> {
  const scene = new Scene();
  try {
    for (const what of events) await scene.play(what);
    await scene.end();
    const verdict = await verifyAudit(scene.file);
    if (!verdict.ok) throw new Error(verdict.problem);
    const recorded = scene.recorded();
    if (recorded.sort().join() === scene.answered.sort().join()) return;
    throw new Error(`recorded: ${recorded}; answered: ${scene.answered}`);
  } finally {
    scene.remove();
  }
}

type Event = 'restart' | 'takeover' | { attempts: number } | { room: number };

class Scene {
  readonly #folder = mkdtempSync(join(tmpdir(), 'signet-audit-'));
  readonly file = join(this.#folder, 'audit.log');
  /** The attempts whose answer left as a success. */
  readonly answered: string[] = [];
  #room = Number.POSITIVE_INFINITY;
  #made = 0;
  #logs = [this.#open()];

  async play(what: Event): Promise<void> {
    if (what === 'restart') {
      await this.#closeAll();
      this.#logs = [this.#open()];
    } else if (what === 'takeover') this.#takeOver();
    else if ('room' in what) this.#fill(what.room);
    else await Promise.all(Array.from({ length: what.attempts }, () => this.#attempt()));
  }

  /** A torn line may be there already. Two services at once on a full disk could write into each other's torn lines: not played. */
  #takeOver(): void {
    this.#room = Number.POSITIVE_INFINITY;
    this.#logs.push(this.#open());
  }

  #fill(room: number): void {
    if (this.#logs.length === 1) this.#room = room;
  }

  /** There is room again at last. */
  async end(): Promise<void> {
    this.#room = Number.POSITIVE_INFINITY;
    await Promise.all(this.#logs.map((_, i) => this.#attempt(i)));
    await this.#closeAll();
  }

  /** The attempts in all files. */
  recorded(): string[] {
    const lines = readdirSync(this.#folder).flatMap((name) =>
      readFileSync(join(this.#folder, name), 'utf8').split('\n'),
    );
    return lines.flatMap((line) => (openLine(line) ? (JSON.parse(line).attempt ?? []) : []));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #open(): AuditLog {
    const options = {
      onFailure: 'refuse',
      fsyncMs: 60_000,
      rotateBytes: 3_000,
      keepFiles: 100,
      publishHeadMs: 60_000,
    } as const;
    return new AuditLog({ file: this.file, ...options }, log, 'test', (fd, bytes, offset) => {
      const length = Math.min(this.#room, bytes.length - offset);
      if (length === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      this.#room -= length;
      return writeSync(fd, bytes, offset, length);
    });
  }

  /** By any of the services that write. */
  #attempt(by = this.#made % this.#logs.length): Promise<void> {
    const attempt = `a${this.#made++}`;
    return new Promise((resolve) => {
      this.#logs[by]?.record({ ...ATTEMPT, attempt }, (failure) => {
        if (!failure) this.answered.push(attempt);
        resolve();
      });
    });
  }

  async #closeAll(): Promise<void> {
    for (const audit of this.#logs) await audit.close();
  }
}

const ATTEMPT = {
  principal: 'p',
  caller: 'c',
  key: 'ab',
  label: 'é\u2028',
  use: 'digest',
  scheme: 'ed25519',
  outcome: 'ok',
  token: 'main',
  queueUs: 1,
  tokenUs: 2,
  sha256: 'cd',
} as const;
