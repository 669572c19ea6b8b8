import { hash } from 'node:crypto';
import type { AttemptRecord } from '../shared-state.js';

/** Written at each start of the service. */
export interface StartRecord {
  readonly type: 'start';
  readonly version: string;
  readonly pid: number;
}

/** Where a chain stands: the number of its last line and that line's hash. */
export interface Head {
  /** Names the chain: random, made with its first line. 32 hexadecimal digits. */
  readonly chain: string;
  readonly seq: number;
  /** SHA-256 in hexadecimal; 64 zeros before the first line. */
  readonly hash: string;
}

export const NO_HASH = '0'.repeat(64);

/**
 * A line of the audit file, without its line feed, and the head behind it. The line is JSON, and its last member `hash` is the SHA-256
 * of the previous line's hash followed by the line as it would be without that member: whoever changes, removes or inserts
 * a line must recompute all that follow, and the published heads no longer fit.
 */
export function sealLine(head: Head, timeMs: number, fields: string): { line: string; head: Head } {
  const seq = head.seq + 1;
  const body = `{"seq":${seq},"time":"${isoTime(timeMs)}","chain":"${head.chain}",${fields}`;
  const sealed = sealOf(head.hash, body);
  return { line: `${body},"hash":"${sealed}"}`, head: { chain: head.chain, seq, hash: sealed } };
}

/** Of the lines of one millisecond, the first pays. */
let lastTime = { ms: Number.NaN, text: '' };

function isoTime(ms: number): string {
  if (ms !== lastTime.ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}

/** A line taken apart. */
export interface OpenedLine {
  /** Without the member `hash` and the closing brace: what the hash is over. */
  readonly body: string;
  readonly hash: string;
  readonly seq: number;
  readonly chain: string;
  /** Undefined for an attempt. */
  readonly type: 'start' | 'lost' | undefined;
}

/** Takes a line apart: undefined if it is not one that `sealLine` could have made. */
export function openLine(line: string): OpenedLine | undefined {
  const [, body, hashText] = LINE.exec(line) ?? [];
  if (body === undefined || hashText === undefined) return undefined;
  const { seq, chain, type } = parseObject(line) ?? {};
  if (typeof seq !== 'number' || typeof chain !== 'string') return undefined;
  return { body, hash: hashText, seq, chain, type: type === 'start' || type === 'lost' ? type : undefined };
}

/** The hash that belongs behind a body. */
export function sealOf(previousHash: string, body: string): string {
  return hash('sha256', previousHash + body);
}

/** The members of an attempt, as they stand in a line. */
export function attemptFields(record: AttemptRecord): string {
  return (
    `"principal":${JSON.stringify(record.principal)},"caller":${JSON.stringify(record.caller)},"key":"${record.key}",` +
    `"label":${JSON.stringify(record.label)},"use":"${record.use}","scheme":"${record.scheme}","outcome":"${record.outcome}",` +
    `"token":"${record.token}","queue_us":${record.queueUs},"token_us":${record.tokenUs},"sha256":"${record.sha256}","attempt":"${record.attempt}"`
  );
}

export function startFields(record: StartRecord): string {
  return `"type":"start","version":${JSON.stringify(record.version)},"pid":${record.pid}`;
}

/** Written as soon as lines can be written again. */
export function lostFields(lines: number): string {
  return `"type":"lost","lines":${lines}`;
}

/** With the flag s, since a label may have U+2028, which JSON leaves as it is. */
const LINE = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s;

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
