import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';

/**
 * Both are CommonJS. import() has to guess what such a module exports before it has run; on a busy machine it was seen to come back
 * without ReflectionService, in 3 of some 200 starts.
 */
const require = createRequire(import.meta.url);

/** What `buf build` made of proto/; `src/` and `dist/` both lie in the root of the package. */
export const DESCRIPTOR_FILE = fileURLToPath(new URL('../../../dist/descriptor.binpb', import.meta.url));

/** Lets grpcurl, buf curl and the like ask what the server offers (gRPC Server Reflection, v1 and v1alpha). */
export function addReflection(server: Server, descriptorFile: string, log: Logger): void {
  if (!existsSync(descriptorFile)) {
    log.warn({ file: descriptorFile }, 'no reflection: expected a descriptor set, it is not there; run "make build"');
    return;
  }
  const { loadFileDescriptorSetFromBuffer } = require('@grpc/proto-loader') as typeof import('@grpc/proto-loader');
  const { ReflectionService } = require('@grpc/reflection') as typeof import('@grpc/reflection');
  new ReflectionService(loadFileDescriptorSetFromBuffer(readFileSync(descriptorFile))).addToServer(server);
}
