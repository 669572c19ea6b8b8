import type { SignRequest } from '../../src/gen/signet/v1/sign.js';
import type { Answer, PipelinedClient } from './pipelined-client.js';

export interface OpenLoopWish {
  readonly clients: readonly PipelinedClient[];
  readonly request: SignRequest;
  /** Requests per second of all clients together. */
  readonly rate: number;
  readonly seconds: number;
}

/**
 * Asks at a fixed rate, whatever is answered: as the world does, which does not slow down because a service is slow. Resolves with all
 * answers when the last has come.
 */
export async function openLoop({ clients, request, rate, seconds }: OpenLoopWish): Promise<Answer[]> {
  const answers: Answer[] = [];
  const total = Math.round(rate * seconds);
  const beganMs = performance.now();
  await new Promise<void>((resolve) => {
    let asked = 0;
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - beganMs) * rate) / 1000));
      for (; asked < due; asked++) {
        clients[asked % clients.length]?.ask(request, (answer) => {
          // A signature would keep alive all that was read with it, minutes of a load's answers.
          if (answers.push({ ...answer, signature: undefined }) === total) resolve();
        });
      }
      if (asked === total) clearInterval(timer);
    }, TICK_MS);
  });
  return answers;
}

/** The shortest that a timer of node takes. */
const TICK_MS = 1;

/** Callers that ask again as soon as they are answered, for so long: what the service can do at most. */
export async function closedLoop(
  clients: readonly PipelinedClient[],
  request: SignRequest,
  forSeconds: number,
  inFlightEach = 1,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const endMs = performance.now() + forSeconds * 1000;
  const loop = async (client: PipelinedClient) => {
    while (performance.now() < endMs) answers.push(await client.request(request));
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: inFlightEach }, () => loop(client))));
  return answers;
}

/** Milliseconds of the answers with a code. */
export function tookMs(answers: readonly Answer[], code = 'OK'): number[] {
  return answers.filter((answer) => answer.code === code).map((answer) => answer.tookMs);
}

/** How many answers there are of each code. */
export function codesOf(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of answers) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}
