/** The gRPC loads of bench/path/front.ts. */
import { credentials } from '@grpc/grpc-js';
import { SigningServiceClient } from '../../src/gen/signet/v1/signing_service.js';
import { signRequest } from '../../test/fixtures/socket-client.js';

function connect(path: string): SigningServiceClient {
  return new SigningServiceClient(`unix:${path}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
}

export async function loadStream(path: string, inFlight: number, requests: number): Promise<void> {
  const client = connect(path);
  const stream = client.signStream();
  let sent = 0;
  let answered = 0;
  const ask = (id: number) => {
    sent++;
    stream.write({ id, body: { $case: 'sign', value: signRequest() } });
  };
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (frame) => {
      if (sent < requests) ask(frame.id);
      if (++answered >= requests) resolve();
    });
    for (let n = 0; n < Math.min(inFlight, requests); n++) ask(n + 1);
  });
  stream.on('error', () => undefined);
  stream.cancel();
  client.close();
}

export async function loadUnary(path: string, inFlight: number, requests: number): Promise<void> {
  const client = connect(path);
  let sent = 0;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      client.sign(signRequest(), (error) => (error ? reject(error) : resolve()));
    });
  const worker = async () => {
    while (sent++ < requests) await one();
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  client.close();
}
