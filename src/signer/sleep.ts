/** Nobody changes it, so a wait for it is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Stops the process for so long, in milliseconds: a signer of one session has nothing else to do. */
export function sleep(ms: number): void {
  Atomics.wait(NEVER, 0, 0, ms);
}
