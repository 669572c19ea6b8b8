/**
 * The program inside a signer process. It has one front, at descriptor 3, one token and, as a rule, one session, and then it is
 * synchronous: it waits for a frame, signs, answers. An event loop between these would cost more than the rest of it together; only
 * a signer of several sessions has one (side-by-side.ts).
 *
 * It ends with its front: at the end of the stream, or killed by the kernel when it hangs inside the module.
 */
import { dieWithParent, disableCoreDumps } from '../native-addon.js';
import {
  ANSWER_FRAME_BYTES_MAX,
  decodeConfigure,
  decodeJob,
  FrameReader,
  FrameType,
  typeOf,
  writeAnswer,
} from '../pool/messages.js';
import { receive, receiveFrame, send } from './connection.js';
import { Ladder } from './ladder.js';
import { lastWords } from './last-words.js';
import { obey } from './orders.js';
import { type JobRules, serveJob } from './serve-job.js';
import { signSideBySide } from './side-by-side.js';

/** The front sends at most two jobs of at most 16 KiB at once. */
const RECEIVE_BYTES = 64 * 1024;

const answer = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);

dieWithParent();
disableCoreDumps();
try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  report(error);
  process.exitCode = 1;
}
process.exit();

/** Whether all went well; if not, the front has been told. Throws what it has not been told. */
async function run(): Promise<boolean> {
  const frame = receiveFrame();
  // The front went away before it said anything.
  if (!frame) return true;
  const configuration = decodeConfigure(frame);
  if (configuration.sessions !== undefined && configuration.sessions > 1) return signSideBySide(configuration);
  const ladder = new Ladder(configuration, send);
  ladder.climb();
  serveFrames(configuration.busyPollUs, (frame) => serve(ladder, configuration, frame));
  ladder.close();
  return true;
}

function serveFrames(busyPollUs: number, visit: (frame: Buffer) => void): void {
  const reader = new FrameReader();
  const received = Buffer.alloc(RECEIVE_BYTES);
  for (let got = receive(received, busyPollUs); got > 0; got = receive(received, busyPollUs))
    reader.push(received.subarray(0, got), visit);
}

function serve(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  if (typeOf(frame) === FrameType.job) answerJob(ladder, rules, frame);
  else obey(ladder, frame);
}

function answerJob(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  const job = decodeJob(frame);
  const { status, tokenUs, content, retires } = serveJob(ladder.footing, rules, job);
  send(answer, writeAnswer(answer, job.id, status, tokenUs, content));
  if (retires !== 'nothing') ladder.lose(retires, content.toString());
}

/** The front may be gone already. */
function report(error: unknown): void {
  try {
    send(lastWords(error));
  } catch {
    process.exit(1);
  }
}
