/** The process of GrpcLoad: makes one load after the other, as it is told, until its parent lets go of it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { ErrorCode, type SignRequest } from '../../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../../src/gen/signet/v1/signing_service.js';
import type { GrpcNews, GrpcWish } from './grpc-load.js';
import { LoadRun, type Outcome } from './load-run.js';

/** One connection: asks for a signature; `ended` is called once. */
interface Caller {
  ask(request: SignRequest, ended: (outcome: Outcome) => void): void;
  close(): void;
}

process.on('message', (wish: GrpcWish) => void makeLoad(wish));
process.on('disconnect', () => process.exit(0));

async function makeLoad(wish: GrpcWish): Promise<void> {
  const callers = Array.from({ length: wish.connections }, () => connect(wish));
  const run = new LoadRun(wish, tell);
  const measured = await run.make((n, ended) => callers[n % callers.length]?.ask(request(wish, n), ended));
  for (const caller of callers) caller.close();
  tell({ news: 'measured', measured });
}

function tell(news: GrpcNews): void {
  process.send?.(news);
}

/** Different messages, in turn, as path/socket_load.c has them. */
const MESSAGES = 256;

function request({ keys, scheme, timeoutMs }: GrpcWish, n: number): SignRequest {
  return {
    spkiSha256: Buffer.from(keys[n % keys.length] ?? '', 'hex'),
    scheme,
    input: { $case: 'message', value: certificateVerify(n % MESSAGES) },
    timeoutUs: timeoutMs * 1000,
    attemptId: randomBytes(16),
  };
}

/** RFC 8446 section 4.4.3, with the number of the message for a transcript hash. */
function certificateVerify(n: number): Buffer {
  return Buffer.concat([
    Buffer.alloc(64, 0x20),
    Buffer.from('TLS 1.3, server CertificateVerify\0'),
    Buffer.alloc(32, n),
  ]);
}

function connect(wish: GrpcWish): Caller {
  const client = new SigningServiceClient(wish.address, channelCredentials(wish.files), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
  });
  return wish.carrier === 'unary' ? unaryCaller(client) : streamCaller(client);
}

function channelCredentials(files: GrpcWish['files']) {
  if (!files) return credentials.createInsecure();
  const { caFile, keyFile, certificateFile } = files;
  return credentials.createSsl(readFileSync(caFile), readFileSync(keyFile), readFileSync(certificateFile));
}

function unaryCaller(client: SigningServiceClient): Caller {
  return {
    ask: (request, ended) => void client.sign(request, (error) => ended(error ? outcomeOf(error) : 'signed')),
    close: () => client.close(),
  };
}

function outcomeOf(error: ServiceError): Outcome {
  return error.code === status.RESOURCE_EXHAUSTED ? 'refused' : 'failed';
}

function streamCaller(client: SigningServiceClient): Caller {
  const stream = client.signStream();
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let id = 0;
  stream.on('error', () => {
    for (const ended of waiting.values()) ended('failed');
    waiting.clear();
  });
  stream.on('data', ({ id, body }) => {
    const ended = waiting.get(id);
    waiting.delete(id);
    if (body?.$case === 'sign') ended?.('signed');
    else ended?.(body?.value.code === ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED ? 'refused' : 'failed');
  });
  return {
    ask(request, ended) {
      id += 1;
      waiting.set(id, ended);
      stream.write({ id, body: { $case: 'sign', value: request } });
    },
    close() {
      stream.cancel();
      client.close();
    },
  };
}
