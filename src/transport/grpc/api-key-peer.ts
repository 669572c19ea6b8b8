import type { Metadata } from '@grpc/grpc-js';
import { apiKeySha256 } from '../../api-key.js';
import type { Signing } from '../../signing.js';
import type { SigningPeer } from './signing-service.js';

/**
 * Who makes a call: whom its API key names, if it presents one, else the connection's caller. What is presented and is no key names
 * nobody, and the connection's caller does not stand in for it: who says that he is someone else is not taken for himself.
 */
export function callerOf(peer: SigningPeer, metadata: Metadata, signing: Signing): SigningPeer {
  const presented = metadata.get('authorization');
  if (presented.length === 0) return peer;
  const sha256 = presented.length === 1 ? (sha256Of(String(presented[0])) ?? NO_KEY) : NO_KEY;
  return { ...peer, client: signing.identify({ kind: 'api_key', sha256, connection: peer.client.caller }) };
}

/** RFC 6750 section 2.1; the name of the scheme is compared without case (RFC 9110 section 11.1). */
function sha256Of(authorization: string): string | undefined {
  const [, key] = /^Bearer (.*)$/i.exec(authorization) ?? [];
  return key === undefined ? undefined : apiKeySha256(key);
}

/** The hash of no key. */
const NO_KEY = '0'.repeat(64);
