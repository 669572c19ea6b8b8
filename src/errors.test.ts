import t from 'tap';
import { SignetError } from './errors.js';

t.test('an error for a caller takes no stack, and leaves that of others as it is', async (t) => {
  const frames = Error.stackTraceLimit;
  const error = new SignetError('unavailable', 'no token', { cause: new Error('why') });
  t.equal(error.stack, 'SignetError: no token');
  t.match((error.cause as Error).stack, /errors\.test/);
  t.equal(Error.stackTraceLimit, frames);
  t.match(new Error('other').stack, /errors\.test/);
});
