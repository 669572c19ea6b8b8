import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type Caller, describeCaller } from '../caller.js';
import type { Limits, UnixSocketConfig } from '../config/schema.js';
import { SignetError } from '../errors.js';
import type { GetStatusResponse, ReloadResponse } from '../gen/signet/v1/admin.js';
import { type AdminServiceServer, AdminServiceService } from '../gen/signet/v1/admin_service.js';
import { GrpcServer } from '../transport/grpc/grpc-server.js';
import { statusOf } from '../transport/grpc/status.js';
import type { PeerCredentials } from '../transport/peer.js';
import type { Transport } from '../transport/transport.js';

/** What an administrator may have done; src/service.ts makes one. What it throws goes to the administrator. */
export interface Administration {
  status(): GetStatusResponse;
  /** SetKeyState of admin.proto; the key by 64 lowercase hexadecimal digits. Resolves when the state is on the disk. */
  setKeyState(spkiSha256: string, disabled: boolean): Promise<void>;
  /** SetTokenState of admin.proto; the token by its name. */
  setTokenState(token: string, drained: boolean): void;
  /** UnlatchToken of admin.proto. Whether it was latched. */
  unlatchToken(token: string): boolean;
  /** How many keys there are now. */
  refreshKeys(): Promise<number>;
  /** Reads the configuration again. Throws nothing for what is wrong with it: that stands in the answer. */
  reload(): ReloadResponse;
  /** Begins to drain; called when the administrator has been answered. */
  drain(): void;
}

export interface AdminTransportOptions {
  readonly admin: UnixSocketConfig;
  readonly limits: Limits;
  readonly administration: Administration;
  readonly log: Logger;
  readonly peerCredentials: PeerCredentials;
}

/** Serves AdminService on its own socket. Who may open the socket may do everything; who did what stands in the log. */
export async function startAdminTransport(options: AdminTransportOptions): Promise<Transport> {
  const log = options.log.child({ part: 'admin' });
  const grpc = new GrpcServer<Caller>(options.limits, log, (caller) => caller);
  grpc.server.addService(AdminServiceService, adminService(options.administration, grpc, log));
  await grpc.listenUnix({ ...options.admin, role: 'admin' }, options.peerCredentials);
  return {
    name: 'admin',
    addresses: grpc.addresses,
    get connections() {
      return grpc.connections;
    },
    drain: (timeoutMs) => grpc.drain(timeoutMs),
    close: () => grpc.close(),
  };
}

const SPKI_SHA256_BYTES = 32;

function adminService(administration: Administration, grpc: GrpcServer<Caller>, log: Logger): AdminServiceServer {
  const handle = <Request, Response>(
    name: string,
    act: (request: Request) => Response | Promise<Response>,
    after: () => void = () => undefined,
  ) => {
    return async (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
      let response: Response;
      try {
        const caller = describeCaller(grpc.peerOf(call));
        log[name === 'GetStatus' ? 'debug' : 'info']({ caller, request: call.request }, name);
        response = await act(call.request);
      } catch (thrown) {
        if (!(thrown instanceof SignetError)) log.error({ err: thrown }, `${name} failed`);
        callback(statusOf(thrown));
        return;
      }
      callback(null, response);
      after();
    };
  };
  return {
    getStatus: handle('GetStatus', () => administration.status()),
    setKeyState: handle('SetKeyState', async (request: { spkiSha256: Buffer; disabled: boolean }) => {
      await administration.setKeyState(spkiSha256Of(request.spkiSha256), request.disabled);
      return {};
    }),
    setTokenState: handle('SetTokenState', ({ token, drained }: { token: string; drained: boolean }) => {
      administration.setTokenState(token, drained);
      return {};
    }),
    unlatchToken: handle('UnlatchToken', ({ token }: { token: string }) => ({
      wasLatched: administration.unlatchToken(token),
    })),
    refreshKeys: handle('RefreshKeys', async () => ({ keys: await administration.refreshKeys() })),
    reload: handle('Reload', () => administration.reload()),
    drain: handle(
      'Drain',
      () => ({}),
      () => administration.drain(),
    ),
  };
}

function spkiSha256Of(bytes: Buffer): string {
  if (bytes.length === SPKI_SHA256_BYTES) return bytes.toString('hex');
  throw new SignetError(
    'invalid_argument',
    `expected spki_sha256 of ${SPKI_SHA256_BYTES} bytes; ${bytes.length} came; "signet keys list" shows it`,
  );
}
