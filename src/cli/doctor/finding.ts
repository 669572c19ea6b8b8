/** What the doctor looks at; docs/cli.md lists them. */
export const CHECKS = [
  'configuration',
  'module-path',
  'provider-order',
  'default-provider',
  'engine-init',
  'socket',
  'socket-mode',
  'chroot',
  'libcrypto',
  'provider-loaded',
  'token',
  'signature',
  'certificate-key',
  'expiry',
] as const;
export type CheckName = (typeof CHECKS)[number];

/** `warning`: it works now. `fault`: handshakes fail, or will. */
export type Level = 'ok' | 'warning' | 'fault';

/** One thing that was looked at. */
export interface Finding {
  readonly check: CheckName;
  readonly level: Level;
  /** What is so, one sentence. */
  readonly says: string;
  /** What to do about it; empty if nothing. */
  readonly remedy: string;
}

export function fine(check: CheckName, says: string): Finding {
  return { check, level: 'ok', says, remedy: '' };
}

export function fault(check: CheckName, says: string, remedy: string): Finding {
  return { check, level: 'fault', says, remedy };
}

export function warning(check: CheckName, says: string, remedy: string): Finding {
  return { check, level: 'warning', says, remedy };
}

export function lineOf({ check, level, says, remedy }: Finding): string {
  const line = `${level.padEnd(7)} ${check}: ${says}\n`;
  return remedy === '' ? line : `${line}        → ${remedy}\n`;
}
