import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';

/** What `buf build` made of proto/; `src/` and `dist/` both lie in the root of the package. */
export const DESCRIPTOR_FILE = fileURLToPath(new URL('../../../dist/descriptor.binpb', import.meta.url));

/** Lets grpcurl, buf curl and the like ask what the server offers (gRPC Server Reflection, v1 and v1alpha). */
export async function addReflection(server: Server, descriptorFile: string, log: Logger): Promise<void> {
  if (!existsSync(descriptorFile)) {
    log.warn({ file: descriptorFile }, 'no reflection: expected a descriptor set, it is not there; run "make build"');
    return;
  }
  const { loadFileDescriptorSetFromBuffer } = await import('@grpc/proto-loader');
  const { ReflectionService } = await import('@grpc/reflection');
  new ReflectionService(loadFileDescriptorSetFromBuffer(readFileSync(descriptorFile))).addToServer(server);
}
