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
  decodeRecover,
  encodeFailed,
  FrameReader,
  FrameType,
  idOf,
  typeOf,
  writeAnswer,
} from '../pool/messages.js';
import { describe } from './ckr.js';
import { receive, receiveFrame, send } from './connection.js';
import { Ladder } from './ladder.js';
import { type JobRules, serveJob } from './serve-job.js';
import { SignerFailure } from './token.js';

/** The front sends at most two jobs of at most 16 KiB at once. */
const RECEIVE_BYTES = 64 * 1024;

const answer = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);

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
  const frame = receiveFrame();
  // The front went away before it said anything.
  if (!frame) return;
  const configuration = decodeConfigure(frame);
  const ladder = new Ladder(configuration, send);
  ladder.climb();
  serveFrames(configuration.busyPollUs, (frame) => serve(ladder, configuration, frame));
  ladder.close();
}

function serveFrames(busyPollUs: number, visit: (frame: Buffer) => void): void {
  const reader = new FrameReader();
  const received = Buffer.alloc(RECEIVE_BYTES);
  for (let got = receive(received, busyPollUs); got > 0; got = receive(received, busyPollUs))
    reader.push(received.subarray(0, got), visit);
}

function serve(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  switch (typeOf(frame)) {
    case FrameType.job:
      return answerJob(ladder, rules, frame);
    case FrameType.pin:
      return ladder.logIn(frame);
    case FrameType.refresh:
      return ladder.refresh(idOf(frame));
    case FrameType.recover:
      return ladder.recover(decodeRecover(frame).reopen);
    default:
      throw new SignerFailure('token', `expected a job or an order; a frame of type ${typeOf(frame)} came`);
  }
}

function answerJob(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  const job = decodeJob(frame);
  const { status, tokenUs, content, retires } = serveJob(ladder.footing, rules, job);
  send(answer, writeAnswer(answer, job.id, status, tokenUs, content));
  if (retires !== 'nothing') ladder.lose(retires, content.toString());
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
