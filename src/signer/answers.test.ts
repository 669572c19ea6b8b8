import t from 'tap';
import { FrameReader, idOf } from '../pool/messages.js';
import { Answers } from './answers.js';

/** The ids of the answers in each write. */
function record(): { answers: Answers; writes: number[][] } {
  const writes: number[][] = [];
  const answers = new Answers((bytes, length) => {
    const ids: number[] = [];
    new FrameReader().push(Buffer.from(bytes.subarray(0, length)), (frame) => ids.push(idOf(frame)));
    writes.push(ids);
  });
  return { answers, writes };
}

const add = (answers: Answers, id: number) => answers.add(id, 'ok', 100, Buffer.alloc(72, id));

t.test('answers that are held leave together, once', async (t) => {
  const { answers, writes } = record();
  for (const id of [1, 2, 3]) add(answers, id);
  t.equal(answers.held, 3);
  answers.flush();
  answers.flush();
  t.same(writes, [[1, 2, 3]]);
  t.equal(answers.held, 0);
});

t.test('an answer does not wait for a job that takes long, or whose time is not known', async (t) => {
  for (const expectedUs of [10_000, Number.POSITIVE_INFINITY]) {
    const { answers, writes } = record();
    add(answers, 1);
    answers.before(expectedUs);
    t.same(writes, [[1]]);
  }
});

t.test('an answer that has waited long enough leaves before the next job', async (t) => {
  const { answers, writes } = record();
  add(answers, 1);
  const begunMs = performance.now();
  while (performance.now() - begunMs < 1);
  answers.before(1);
  t.same(writes, [[1]]);
});

t.test('as many are held as there is room for, each of them whole', async (t) => {
  const { answers, writes } = record();
  for (let id = 1; id <= 40; id++) answers.add(id, 'token_error', 0, Buffer.alloc(5_000, id));
  answers.flush();
  t.same(
    writes.flat(),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
});
