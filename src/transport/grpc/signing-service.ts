import { performance } from 'node:perf_hooks';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Limits } from '../../config/schema.js';
import { SignetError } from '../../errors.js';
import type { SignRequest, SignResponse, SignStreamRequest, SignStreamResponse } from '../../gen/signet/v1/sign.js';
import type { SigningServiceServer } from '../../gen/signet/v1/signing_service.js';
import type { Outcome } from '../../sign-job.js';
import type { Client, Signing } from '../../signing.js';
import type { ByteBudget } from '../byte-budget.js';
import type { Load } from '../conversation.js';
import type { Call } from './grpc-server.js';
import { statusOf } from './status.js';
import { StreamConnection } from './stream-connection.js';
import { traceParentOf } from './trace-parent.js';

/** A caller's connection: several calls share its limit. */
export interface SigningPeer {
  readonly client: Client;
  readonly load: Load;
  /** Closes the connection at once. */
  readonly cut: () => void;
}

/** What the service needs of its server. */
export interface SigningShare {
  readonly signing: Signing;
  readonly limits: Limits;
  readonly budget: ByteBudget;
  readonly streams: Set<StreamConnection>;
  /** Whether it is asked which span of the caller a request belongs to. */
  readonly traced: boolean;
  peerOf(call: Call): SigningPeer;
}

/** SigningService of sign.proto. */
export function signingService(share: SigningShare): SigningServiceServer {
  return {
    sign: (call: ServerUnaryCall<SignRequest, SignResponse>, callback: sendUnaryData<SignResponse>) => {
      try {
        sign(share, call, callback);
      } catch (thrown) {
        callback(statusOf(thrown));
      }
    },
    signStream: (call: ServerDuplexStream<SignStreamRequest, SignStreamResponse>) => {
      try {
        new StreamConnection(call, share.peerOf(call), share);
      } catch (thrown) {
        call.emit('error', statusOf(thrown));
      }
    },
  };
}

function sign(
  share: SigningShare,
  call: ServerUnaryCall<SignRequest, SignResponse>,
  callback: sendUnaryData<SignResponse>,
): void {
  const { client, load } = share.peerOf(call);
  const inFlightMax = share.limits.in_flight_per_connection_max;
  if (load.inFlight >= inFlightMax) {
    throw new SignetError('resource_exhausted', `${inFlightMax} requests are in flight on this connection`);
  }
  const request = { ...call.request, timeoutUs: timeoutUs(call.request.timeoutUs, Number(call.getDeadline())) };
  load.inFlight++;
  const answer = (outcome: Outcome) => {
    load.inFlight--;
    if (!outcome.ok) callback(statusOf(outcome.error));
    else
      callback(null, {
        signature: outcome.signature as Buffer,
        queueUs: outcome.queueUs >>> 0,
        tokenUs: outcome.tokenUs >>> 0,
      });
  };
  const cancel = share.signing.sign(client, request, answer, share.traced ? traceParentOf(call.metadata) : undefined);
  // Comes after the answer too; a cancel does nothing then.
  call.on('cancelled', cancel);
}

/** The earlier of timeout_us and the call's deadline, as a timeout_us; a deadline that is over counts as 1 µs, since 0 means none. */
function timeoutUs(asked: number, deadlineEpochMs: number): number {
  if (deadlineEpochMs === Number.POSITIVE_INFINITY) return asked;
  const nowEpochMs = performance.timeOrigin + performance.now();
  const left = Math.min(Math.max(Math.floor((deadlineEpochMs - nowEpochMs) * 1000), 1), 0xffff_ffff);
  return asked === 0 ? left : Math.min(asked, left);
}
