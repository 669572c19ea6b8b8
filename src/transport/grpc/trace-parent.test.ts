import { Metadata } from '@grpc/grpc-js';
import t from 'tap';
import { traceParentOf } from './trace-parent.js';

function metadataOf(...headers: [string, string][]): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) metadata.add(name, value);
  return metadata;
}

t.test('the span of a caller is what its headers say, unread', async (t) => {
  t.equal(traceParentOf(metadataOf(['tracestate', 'x=1'])), undefined);
  t.same(traceParentOf(metadataOf(['traceparent', '00-1'])), { traceparent: '00-1', tracestate: '' });
  const several = metadataOf(['traceparent', '00-1'], ['tracestate', 'x=1'], ['tracestate', 'y=2']);
  t.same(traceParentOf(several), { traceparent: '00-1', tracestate: 'x=1,y=2' });
  const twice = metadataOf(['traceparent', '00-1'], ['traceparent', '00-2']);
  t.equal(traceParentOf(twice)?.traceparent, '00-1,00-2', 'which is no traceparent');
});
