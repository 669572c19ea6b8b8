import { setTimeout as delay } from 'node:timers/promises';
import graphene from 'graphene-pk11';
import pkcs11 from 'pkcs11js';
import type { TokenConfig } from '../config/schema.js';
import { SignetError } from '../errors.js';
import { openModuleDeepbind } from '../native-addon.js';
import type { LoginLatch } from '../shared-state.js';
import { logIn } from './log-in.js';
import { tokenError } from './token-error.js';

export type Session = graphene.Session;

/**
 * Runs `work` in a read-write session that is logged in as the user, and leaves the module clean however it ends.
 * Fills `pin` with zeros. With a latch, a PIN that the token has refused is not tried again. One token at a time in one process: the module's environment is the process' own.
 * Throws SignetError token_failed: the module does not load, the token is not there, the PIN is wrong.
 */
export async function withToken<T>(
  token: TokenConfig,
  pin: Buffer,
  work: (session: Session) => Promise<T> | T,
  latch?: LoginLatch,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openOnce(token, pin, work, latch);
    } catch (thrown) {
      if (!(thrown instanceof TokenAbsent) || attempt === OPEN_ATTEMPTS_MAX) throw thrown;
      await delay(OPEN_PAUSE_MS);
    }
  }
}

/** SoftHSM does not see a token whose file another process writes at that moment, as a login does. */
const OPEN_ATTEMPTS_MAX = 4;
const OPEN_PAUSE_MS = 50;

/** Thrown before any work is begun. */
class TokenAbsent extends SignetError {}

function openOnce<T>(
  token: TokenConfig,
  pin: Buffer,
  work: (session: Session) => Promise<T> | T,
  latch: LoginLatch | undefined,
): Promise<T> {
  return withModule(token.module, token.environment, token.library_parameters, async (module) => {
    const slot = slotOf(module, token);
    const session = logIn(slot, pin, token, latch);
    try {
      return await work(session);
    } finally {
      session.logout();
      session.close();
    }
  });
}

/** Loads and initialises a module for the time of `work`. Its PKCS#11 errors come out as SignetError token_failed. */
export async function withModule<T>(
  file: string,
  environment: Readonly<Record<string, string>>,
  libraryParameters: string | undefined,
  work: (module: graphene.Module, lib: pkcs11.PKCS11) => Promise<T> | T,
): Promise<T> {
  // Before the module is loaded: SoftHSM and others read their environment in C_Initialize.
  Object.assign(process.env, environment);
  const lib = loadModule(file);
  try {
    const module = new graphene.Module(lib);
    module.initialize(initialisation(libraryParameters));
    try {
      return await work(module, lib);
    } finally {
      module.finalize();
    }
  } catch (thrown) {
    throw tokenError(thrown);
  } finally {
    lib.close();
  }
}

/** pkcs11js passes flags 0 unless told, and that turns a module's locks off. */
function initialisation(libraryParameters: string | undefined): pkcs11.InitializationOptions {
  const flags = pkcs11.CKF_OS_LOCKING_OK;
  // pkcs11js 2.1.7 drops the last byte of the parameters.
  return libraryParameters === undefined ? { flags } : { flags, libraryParameters: `${libraryParameters} ` };
}

function loadModule(file: string): pkcs11.PKCS11 {
  const lib = new pkcs11.PKCS11();
  try {
    // Opened first with its own symbols bound; pkcs11js then gets the same library and not node's OpenSSL inside it.
    openModuleDeepbind(file);
    lib.load(file);
    return lib;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SignetError('token_failed', `the PKCS#11 module ${file} does not load: ${reason}`, { cause });
  }
}

function slotOf(module: graphene.Module, token: TokenConfig): graphene.Slot {
  const slots = [...slotsOf(module)];
  const found = slots.filter((slot) => isChosen(slot, token));
  const [only] = found;
  if (only && found.length === 1) return only;
  const seen = slots.map((slot) => `"${slot.getToken().label}"`).join(', ') || 'none';
  throw new TokenAbsent(
    'token_failed',
    `expected one token with ${choiceOf(token)}, found ${found.length}; tokens that the module shows: ${seen}`,
  );
}

function* slotsOf(module: graphene.Module): Generator<graphene.Slot> {
  const slots = module.getSlots(true);
  for (let i = 0; i < slots.length; i++) yield slots.items(i);
}

function isChosen(slot: graphene.Slot, token: TokenConfig): boolean {
  if (token.slot !== undefined) return slotNumber(slot) === token.slot;
  const info = slot.getToken();
  if (token.token_serial !== undefined) return info.serialNumber.trim() === token.token_serial;
  return info.label.trim() === token.token_label;
}

/** graphene gives a CK_ULONG in the machine's byte order; every machine that Signet runs on is little-endian. */
function slotNumber(slot: graphene.Slot): number {
  return slot.handle.readUIntLE(0, 6);
}

function choiceOf(token: TokenConfig): string {
  if (token.slot !== undefined) return `slot ${token.slot}`;
  if (token.token_serial !== undefined) return `token_serial "${token.token_serial}"`;
  return `token_label "${token.token_label}"`;
}
