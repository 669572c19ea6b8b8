import type { LoginRequest } from '../login-hold.js';

export type { LoginRequest };

/**
 * The contract between the front and a signer process, spoken over the socketpair at the signer's descriptor 3. The signer reads jobs and
 * answers those that go well in C: native/signer/sign_loop.c has the same numbers.
 *
 * A frame is: u32 length of what follows, u8 type, u32 id, body; numbers big-endian. The id of a job is the front's choice and
 * comes back in its answer; that of a refresh comes back in the keys.
 *
 *   front to signer   configure (first, once), pin (after each login), job, refresh, recover
 *   signer to front   login (before every C_Login: it waits for the PIN), logged in, keys (when ready, after each refresh and on the way
 *                     up again), answer (one for each job), up or down (at the end of each climb), failed (then it exits)
 *
 * A signer whose session, login or handles the token has taken away answers `no_session` to its jobs and climbs by itself: it opens a
 * session, logs in, finds the keys and proves one. It then says that it is up; or that it is down, and waits to be told to recover.
 *
 * A signer has no PIN but for the moment of a C_Login, and asks for each: the front gives it to one signer of a token at a time, and to
 * none once the token has refused it.
 */
export const FrameType = {
  configure: 1,
  job: 2,
  refresh: 3,
  pin: 4,
  recover: 5,
  keys: 0x81,
  answer: 0x82,
  failed: 0x83,
  login: 0x84,
  loggedIn: 0x85,
  up: 0x86,
  down: 0x87,
} as const;

const LENGTH_BYTES = 4;
/** Length, type and id: where the body begins in a whole frame. */
const HEADER_BYTES = LENGTH_BYTES + 5;
/** More is no frame of ours but a fault. The list of a token with 10,000 keys and their certificates is about this long. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** How a job ended at the signer, by its index on the wire. All but `ok` say why there is no signature. */
export const JOB_STATUSES = [
  'ok',
  /** The token made a signature that does not verify; it stays in the signer. */
  'bad_signature',
  /** The scheme does not fit the key or the input's length; the token was not asked. */
  'misfit',
  /** The signer has no such key. */
  'unknown_key',
  /** The token refused this request; another signer would fare no better. */
  'refused',
  /** The module is beyond repair; another signer may serve the job. The signer ends. */
  'lost',
  /** The session, the login or the key's handle was gone; no signature was made. The signer climbs, and another may serve the job. */
  'no_session',
  /** The token failed; another may serve the job. */
  'token_error',
  /** The token said that it is busy, again and again. */
  'busy',
  /** Its caller had stopped waiting before the signer came to it; the token was not asked. */
  'expired',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** What a signer must know. The PIN travels apart from this, when it is asked for. */
export interface SignerConfiguration {
  readonly module: string;
  readonly libraryParameters?: string;
  readonly tokenLabel?: string;
  readonly tokenSerial?: string;
  readonly slot?: number;
  readonly verify: 'always' | 'first' | 'sample';
  /** How many signatures it makes side by side, each in a session of its own; one if it is not said. */
  readonly sessions?: number;
  /** How long the signer looks for its next job before it sleeps, in microseconds. */
  readonly busyPollUs: number;
  /** How long a job may be tried again because the token is busy, in milliseconds; less if its deadline comes before. */
  readonly tokenBusyMs: number;
  /** PEM files with public keys or certificates, for private keys whose token tells none. */
  readonly publicKeyFiles?: readonly string[];
}

/** A key that a signer can sign with. Binary values in base64. */
export interface SignerKey {
  readonly spki: string;
  readonly label: string;
  /** CKA_ID, lowercase hexadecimal. */
  readonly id: string;
  readonly certificateChain: readonly string[];
}

export interface KeysReport {
  readonly keys: readonly SignerKey[];
  /** Sentences for the log: objects that cannot be used, and why. */
  readonly warnings: readonly string[];
}

/** Why a signer gives up. `wrong_pin`: the token was asked to take its PIN and refused it. */
export interface FailureReport {
  readonly reason: 'wrong_pin' | 'token';
  readonly message: string;
}

/** Why a signer is down: what failed on its way up. */
export interface DownReport {
  readonly message: string;
  /** The token made a signature that does not verify. */
  readonly badSignature: boolean;
}

export interface AnswerFrame {
  readonly id: number;
  readonly status: JobStatus;
  /** C_SignInit and C_Sign together, in microseconds. */
  readonly tokenUs: number;
  /** The signature when `ok`, else a sentence for the log; a copy, which outlives the frame. */
  readonly content: Buffer;
}

/** The body's type and id of a frame that a FrameReader gave. */
export function typeOf(frame: Buffer): number {
  return frame.readUInt8(LENGTH_BYTES);
}

export function idOf(frame: Buffer): number {
  return frame.readUInt32BE(LENGTH_BYTES + 1);
}

export function encodeConfigure(configuration: SignerConfiguration): Buffer {
  return encodeJson(FrameType.configure, 0, configuration);
}

export function decodeConfigure(frame: Buffer): SignerConfiguration {
  return decodeJson(frame) as SignerConfiguration;
}

export function encodeLogin(request: LoginRequest): Buffer {
  return encodeJson(FrameType.login, 0, request);
}

export function decodeLogin(frame: Buffer): LoginRequest {
  return decodeJson(frame) as LoginRequest;
}

/** Body: the PIN. Whoever sends it or gets it wipes the frame afterwards. */
export function encodePin(pin: Uint8Array): Buffer {
  const frame = newFrame(FrameType.pin, 0, pin.length);
  frame.set(pin, HEADER_BYTES);
  return frame;
}

/** A view into the frame: wiping the frame wipes it. */
export function decodePin(frame: Buffer): Buffer {
  return frame.subarray(HEADER_BYTES);
}

/** The token took the PIN. */
export function encodeLoggedIn(): Buffer {
  return newFrame(FrameType.loggedIn, 0, 0);
}

/** Body: u16 scheme, u8 flags (1: the input is a digest), 32 bytes SHA-256 of the key's SPKI, f64 deadline by CLOCK_MONOTONIC in ms, the input. */
export function encodeJob(
  id: number,
  scheme: number,
  inputIsDigest: boolean,
  spkiSha256: string,
  input: Uint8Array,
  deadlineMs = Number.POSITIVE_INFINITY,
): Buffer {
  // It holds no secret, so it may lie in the shared pool.
  const frame = Buffer.allocUnsafe(HEADER_BYTES + JOB_HEADER_BYTES + input.length);
  writeHeader(frame, FrameType.job, id, frame.length);
  frame.writeUInt16BE(scheme, HEADER_BYTES);
  frame.writeUInt8(inputIsDigest ? 1 : 0, HEADER_BYTES + 2);
  frame.write(spkiSha256, HEADER_BYTES + 3, 32, 'hex');
  frame.writeDoubleBE(deadlineMs + CLOCK_AHEAD_MS, HEADER_BYTES + 35);
  frame.set(input, HEADER_BYTES + JOB_HEADER_BYTES);
  return frame;
}

const JOB_HEADER_BYTES = 43;
/** By how much CLOCK_MONOTONIC, which all processes of a machine have in common, is ahead of this process' performance.now(); what is read a moment later makes it look less. */
const CLOCK_AHEAD_MS = Math.max(
  ...Array.from({ length: 8 }, () => Number(process.hrtime.bigint()) / 1e6 - performance.now()),
);

/** Asks the signer to look for its keys again. */
export function encodeRefresh(id: number): Buffer {
  return newFrame(FrameType.refresh, id, 0);
}

/** Asks the signer to prove that it can sign, after whatever it lacks for that. `reopen`: with a new session, though it has one. */
export function encodeRecover(reopen: boolean): Buffer {
  const frame = newFrame(FrameType.recover, 0, 1);
  frame.writeUInt8(reopen ? 1 : 0, HEADER_BYTES);
  return frame;
}

export function decodeRecover(frame: Buffer): { readonly reopen: boolean } {
  return { reopen: frame.readUInt8(HEADER_BYTES) === 1 };
}

/** It can sign: it has made a signature that verifies, if it has a key. */
export function encodeUp(): Buffer {
  return newFrame(FrameType.up, 0, 0);
}

export function encodeDown(report: DownReport): Buffer {
  return encodeJson(FrameType.down, 0, report);
}

export function decodeDown(frame: Buffer): DownReport {
  return decodeJson(frame) as DownReport;
}

/** The longest answer: a signature of RSA-4096, or a sentence. */
const CONTENT_BYTES_MAX = 1024;
const ANSWER_HEADER_BYTES = 5;
/** Enough for any answer; `writeAnswer` writes into one that the signer uses again and again. */
export const ANSWER_FRAME_BYTES_MAX = HEADER_BYTES + ANSWER_HEADER_BYTES + CONTENT_BYTES_MAX;

/** Body: u8 index of the status, u32 token time in microseconds, the signature or a sentence. Gives the frame's length. */
export function writeAnswer(
  frame: Buffer,
  id: number,
  status: JobStatus,
  tokenUs: number,
  content: Uint8Array,
): number {
  const kept = content.length > CONTENT_BYTES_MAX ? content.subarray(0, CONTENT_BYTES_MAX) : content;
  const length = HEADER_BYTES + ANSWER_HEADER_BYTES + kept.length;
  writeHeader(frame, FrameType.answer, id, length);
  frame.writeUInt8(JOB_STATUSES.indexOf(status), HEADER_BYTES);
  frame.writeUInt32BE(tokenUs, HEADER_BYTES + 1);
  frame.set(kept, HEADER_BYTES + ANSWER_HEADER_BYTES);
  return length;
}

export function decodeAnswer(frame: Buffer): AnswerFrame {
  const status = JOB_STATUSES[frame.readUInt8(HEADER_BYTES)];
  if (!status) throw new Error(`expected the status of a job; ${frame.readUInt8(HEADER_BYTES)} came`);
  return {
    id: idOf(frame),
    status,
    tokenUs: frame.readUInt32BE(HEADER_BYTES + 1),
    content: Buffer.from(frame.subarray(HEADER_BYTES + ANSWER_HEADER_BYTES)),
  };
}

export function encodeKeys(id: number, report: KeysReport): Buffer {
  return encodeJson(FrameType.keys, id, report);
}

export function decodeKeys(frame: Buffer): KeysReport {
  return decodeJson(frame) as KeysReport;
}

export function encodeFailed(report: FailureReport): Buffer {
  return encodeJson(FrameType.failed, 0, report);
}

export function decodeFailed(frame: Buffer): FailureReport {
  return decodeJson(frame) as FailureReport;
}

/** Cuts a stream of bytes into frames. Throws when a length is none of ours; the connection is then of no more use. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #have = 0;
  #need = LENGTH_BYTES;

  /** Calls `visit` with each whole frame; a frame may be a view into `chunk`. What is left over is copied. */
  push(chunk: Buffer, visit: (frame: Buffer) => void): void {
    this.#have += chunk.length;
    if (this.#have < this.#need) {
      this.#chunks.push(Buffer.from(chunk));
      return;
    }
    const bytes = this.#chunks.length === 0 ? chunk : Buffer.concat([...this.#chunks, chunk]);
    // One may hold a part of a PIN.
    for (const part of this.#chunks) part.fill(0);
    this.#chunks = [];
    this.#keep(bytes, visitFrames(bytes, visit));
  }

  #keep(bytes: Buffer, from: number): void {
    this.#have = bytes.length - from;
    this.#need = this.#have < LENGTH_BYTES ? LENGTH_BYTES : frameLength(bytes, from);
    if (this.#have > 0) this.#chunks.push(Buffer.from(bytes.subarray(from)));
  }
}

/** Visits the whole frames of `bytes`; gives where the first that is not whole begins. */
function visitFrames(bytes: Buffer, visit: (frame: Buffer) => void): number {
  let at = 0;
  while (bytes.length - at >= LENGTH_BYTES) {
    const end = at + frameLength(bytes, at);
    if (end > bytes.length) break;
    visit(bytes.subarray(at, end));
    at = end;
  }
  return at;
}

function frameLength(bytes: Buffer, at: number): number {
  const length = LENGTH_BYTES + bytes.readUInt32BE(at);
  if (length >= HEADER_BYTES && length <= FRAME_BYTES_MAX) return length;
  throw new Error(`expected a frame of ${HEADER_BYTES} to ${FRAME_BYTES_MAX} bytes; one of ${length} came`);
}

function newFrame(type: number, id: number, bodyBytes: number): Buffer {
  // Not from the shared pool: a frame may hold a PIN, which is wiped in its place.
  const frame = Buffer.allocUnsafeSlow(HEADER_BYTES + bodyBytes);
  writeHeader(frame, type, id, frame.length);
  return frame;
}

function writeHeader(frame: Buffer, type: number, id: number, frameBytes: number): void {
  frame.writeUInt32BE(frameBytes - LENGTH_BYTES, 0);
  frame.writeUInt8(type, LENGTH_BYTES);
  frame.writeUInt32BE(id, LENGTH_BYTES + 1);
}

function encodeJson(type: number, id: number, value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  const frame = newFrame(type, id, json.length);
  frame.set(json, HEADER_BYTES);
  return frame;
}

function decodeJson(frame: Buffer): unknown {
  return JSON.parse(frame.toString('utf8', HEADER_BYTES));
}
