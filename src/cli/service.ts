import { existsSync } from 'node:fs';
import { type CallOptions, type Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Config } from '../config/schema.js';
import { AdminServiceClient } from '../gen/signet/v1/admin_service.js';
import { KeyServiceClient } from '../gen/signet/v1/key_service.js';
import { SigningServiceClient } from '../gen/signet/v1/signing_service.js';
import { CliError } from './cli-error.js';
import type { ExitWord } from './exit-codes.js';

/** How long the command line waits for one answer of the service, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Speaks to the running service on its admin socket. */
export function onAdminSocket<T>(
  config: { readonly admin: { readonly path: string } },
  work: (admin: AdminServiceClient) => Promise<T>,
): Promise<T> {
  return connected(AdminServiceClient, config.admin.path, work);
}

/** Speaks to KeyService on the first gRPC socket of the configuration, or on the one named. */
export function onKeySocket<T>(
  config: Config,
  socket: string | undefined,
  work: (keys: KeyServiceClient) => Promise<T>,
): Promise<T> {
  return connected(KeyServiceClient, grpcSocketOf(config, socket), work);
}

/** Speaks to SigningService, as `onKeySocket` does. */
export function onSigningSocket<T>(
  config: Config,
  socket: string | undefined,
  work: (signing: SigningServiceClient) => Promise<T>,
): Promise<T> {
  return connected(SigningServiceClient, grpcSocketOf(config, socket), work);
}

type UnaryCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** One question, one answer: `ask(admin, admin.getStatus, {})`. Throws CliError. */
export function ask<Request, Response>(
  client: Client,
  method: UnaryCall<Request, Response>,
  request: Request,
): Promise<Response> {
  const options = { deadline: Date.now() + ANSWER_TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    method.call(client, request, new Metadata(), options, (error, response) => {
      if (error) reject(errorOf(error));
      else resolve(response);
    });
  });
}

type ClientClass<C> = new (address: string, channel: ReturnType<typeof credentials.createInsecure>) => C;

async function connected<C extends Client, T>(
  ClientOf: ClientClass<C>,
  path: string,
  work: (client: C) => Promise<T>,
): Promise<T> {
  if (!existsSync(path)) {
    throw new CliError(
      'unreachable',
      `the service is not running: there is no socket ${path}; start it with \`signet serve\``,
    );
  }
  const client = new ClientOf(`unix:${path}`, credentials.createInsecure());
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

function grpcSocketOf(config: Config, named: string | undefined): string {
  const path = named ?? config.grpc.unix[0]?.path;
  if (path !== undefined) return path;
  throw new CliError('configuration', 'the configuration has no gRPC Unix socket (grpc.unix); name one with --socket');
}

function errorOf(error: ServiceError): CliError {
  return new CliError(EXIT_OF[error.code] ?? 'failed', `the service: ${error.details || status[error.code]}`, {
    cause: error,
  });
}

/** The other direction of src/transport/grpc/status.ts. */
const EXIT_OF: Readonly<Partial<Record<status, ExitWord>>> = {
  [status.UNAVAILABLE]: 'unreachable',
  [status.DEADLINE_EXCEEDED]: 'unreachable',
  [status.PERMISSION_DENIED]: 'refused',
  [status.RESOURCE_EXHAUSTED]: 'refused',
  [status.INVALID_ARGUMENT]: 'usage',
  [status.ABORTED]: 'token',
};
