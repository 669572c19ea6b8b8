/**
 * The program inside a signer process. It has one front, at descriptor 3, one token and, as a rule, one session, and then it is
 * synchronous: it waits for a frame, signs, answers. An event loop between these would cost more than the rest of it together; only
 * a signer of several sessions has one (side-by-side.ts).
 *
 * It ends with its front: at the end of the stream, or killed by the kernel when it hangs inside the module.
 */
import { dieWithParent, disableCoreDumps } from '../native-addon.js';
import { decodeConfigure, decodeJob, FrameType, typeOf } from '../pool/messages.js';
import { Answers } from './answers.js';
import { receiveFrame, send } from './connection.js';
import { Inbox } from './inbox.js';
import { Ladder } from './ladder.js';
import { lastWords } from './last-words.js';
import { obey } from './orders.js';
import { expectedUs, type JobRules, serveJob } from './serve-job.js';
import { signSideBySide } from './side-by-side.js';

const answers = new Answers(send);

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

/**
 * While one half of the jobs that lie here is worked on, the answers to the other half leave together, and what comes for them is on its
 * way: so neither waits for the other, and both are woken half as often as there are jobs, or less.
 */
function serveFrames(busyPollUs: number, visit: (frame: Buffer) => void): void {
  const inbox = new Inbox();
  for (let frame = inbox.take(busyPollUs); frame; frame = inbox.take(busyPollUs)) {
    visit(frame);
    if (answers.held < inbox.waiting) continue;
    // Who asks one at a time waits for this answer.
    if (answers.held > 1) inbox.look();
    if (answers.held >= inbox.waiting) answers.flush();
  }
}

function serve(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  if (typeOf(frame) === FrameType.job) return answerJob(ladder, rules, frame);
  answers.flush();
  obey(ladder, frame);
}

function answerJob(ladder: Ladder, rules: JobRules, frame: Buffer): void {
  const job = decodeJob(frame);
  answers.before(expectedUs(ladder.footing, job));
  const { status, tokenUs, content, retires } = serveJob(ladder.footing, rules, job);
  answers.add(job.id, status, tokenUs, content);
  if (retires === 'nothing') return;
  answers.flush();
  ladder.lose(retires, content.toString());
}

/** The front may be gone already. */
function report(error: unknown): void {
  try {
    send(lastWords(error));
  } catch {
    process.exit(1);
  }
}
