/**
 * The program inside a signer process. It has one front, at descriptor 3, and one token. There is no event loop: the process waits in
 * SignLoop for frames, and nothing else is waited for.
 *
 * It ends with its front: at the end of the stream, or killed by the kernel when it hangs inside the module.
 */
import { dieWithParent, disableCoreDumps } from '../native-addon.js';
import { decodeConfigure } from '../pool/messages.js';
import { receiveFrame, sendFrame } from './connection.js';
import { lastWords } from './last-words.js';
import { Signer } from './signer.js';

dieWithParent();
disableCoreDumps();
try {
  process.exitCode = run() ? 0 : 1;
} catch (error) {
  report(error);
  process.exitCode = 1;
}
process.exit();

/** Whether all went well; if not, the front has been told. Throws what it has not been told. */
function run(): boolean {
  const frame = receiveFrame();
  // The front went away before it said anything.
  return frame ? new Signer(decodeConfigure(frame)).work() : true;
}

/** The front may be gone already. */
function report(error: unknown): void {
  try {
    sendFrame(lastWords(error));
  } catch {
    process.exit(1);
  }
}
