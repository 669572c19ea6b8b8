/**
 * The program inside a signer process. It has one front, at descriptor 3, one token and one session, and it is synchronous: it
 * waits for a frame, signs, answers. An event loop between these would cost more than the rest of it together.
 *
 * It ends with its front: at the end of the stream, or killed by the kernel when it hangs inside the module.
 */
import { dieWithParent, disableCoreDumps } from '../native-addon.js';
import {
  ANSWER_FRAME_BYTES_MAX,
  decodeConfigure,
  decodeJob,
  encodeFailed,
  encodeKeys,
  encodeLoggedIn,
  encodeLogin,
  FrameReader,
  FrameType,
  idOf,
  type JobFrame,
  type LoginRequest,
  type SignerConfiguration,
  typeOf,
  writeAnswer,
} from '../pool/messages.js';
import { describe } from './ckr.js';
import { receive, receiveFrame, send } from './connection.js';
import { findKeys, type TokenKey } from './find-keys.js';
import { serveJob } from './serve-job.js';
import { closeToken, openToken, SignerFailure, type Token } from './token.js';

/** The front sends at most two jobs of at most 16 KiB at once. */
const RECEIVE_BYTES = 64 * 1024;

const answer = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);
const EXPIRED = { status: 'expired', tokenUs: 0, content: Buffer.from('expired') } as const;

dieWithParent();
disableCoreDumps();
try {
  run();
} catch (error) {
  report(error);
  process.exit(1);
}
process.exit(0);

function run(): void {
  const opened = open();
  if (!opened) return;
  const { token, configuration } = opened;
  let keys = announceKeys(token, configuration, 0);
  serveFrames(configuration.busyPollUs, (frame) => {
    if (typeOf(frame) === FrameType.job) serve(token, keys, configuration, frame);
    else if (typeOf(frame) === FrameType.refresh) keys = announceKeys(token, configuration, idOf(frame));
    else throw new SignerFailure('token', `expected a job or a refresh; a frame of type ${typeOf(frame)} came`);
  });
  closeToken(token);
}

/** Opens what the first frame says; undefined if the front went away before it said anything. */
function open(): { token: Token; configuration: SignerConfiguration } | undefined {
  const frame = receiveFrame();
  if (!frame) return undefined;
  const configuration = decodeConfigure(frame);
  const token = openToken(configuration, askForPin);
  send(encodeLoggedIn());
  return { configuration, token };
}

/** Asks the front, which lets one signer of a token log in at a time. Nothing else comes from the front before the signer is ready. */
function askForPin(request: LoginRequest): Buffer {
  send(encodeLogin(request));
  const frame = receiveFrame();
  // The front is gone, or will not have this PIN tried: nobody waits for a word.
  if (!frame) process.exit(0);
  if (typeOf(frame) === FrameType.pin) return frame;
  throw new SignerFailure('token', `expected the PIN; a frame of type ${typeOf(frame)} came`);
}

function serveFrames(busyPollUs: number, visit: (frame: Buffer) => void): void {
  const reader = new FrameReader();
  const received = Buffer.alloc(RECEIVE_BYTES);
  for (let got = receive(received, busyPollUs); got > 0; got = receive(received, busyPollUs))
    reader.push(received.subarray(0, got), visit);
}

function announceKeys(
  token: Token,
  { publicKeyFiles = [] }: SignerConfiguration,
  id: number,
): ReadonlyMap<string, TokenKey> {
  const { keys, warnings } = findKeys(token, publicKeyFiles);
  const told = keys.map(({ key, label, id: ckaId, certificateChain }) => ({
    spki: key.spki.toString('base64'),
    label,
    id: ckaId,
    certificateChain: certificateChain.map((certificate) => certificate.toString('base64')),
  }));
  send(encodeKeys(id, { keys: told, warnings }));
  return new Map(keys.map((key) => [key.key.spkiSha256, key]));
}

function serve(
  token: Token,
  keys: ReadonlyMap<string, TokenKey>,
  { verify }: SignerConfiguration,
  frame: Buffer,
): void {
  const job = decodeJob(frame);
  const { status, tokenUs, content } = isLate(job) ? EXPIRED : serveJob(token, keys, verify, job);
  send(answer, writeAnswer(answer, job.id, status, tokenUs, content));
  if (status === 'lost') throw new SignerFailure('token', `signing: ${content.toString()}`);
}

/** It waited here for the job before it; nobody wants its signature any more. */
function isLate({ deadlineMs }: JobFrame): boolean {
  return performance.now() >= deadlineMs;
}

/** The last words; the front may be gone already. */
function report(error: unknown): void {
  const reason = error instanceof SignerFailure ? error.reason : 'token';
  const message = error instanceof SignerFailure ? error.message : describe(error);
  try {
    send(encodeFailed({ reason, message }));
  } catch {
    process.exit(1);
  }
}
