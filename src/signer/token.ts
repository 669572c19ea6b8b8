import pkcs11js from 'pkcs11js';
import { openModuleDeepbind } from '../native-addon.js';
import { decodePin, type FailureReport, type LoginRequest, type SignerConfiguration } from '../pool/messages.js';
import {
  CKR_ATTRIBUTE_SENSITIVE,
  CKR_ATTRIBUTE_TYPE_INVALID,
  CKR_GENERAL_ERROR,
  CKR_USER_ALREADY_LOGGED_IN,
  type Ckr,
  ckrCodeOf,
  ckrOf,
  describe,
} from './ckr.js';
import { listMechanisms } from './mechanisms.js';
import { sleep } from './sleep.js';

/** A session of a token, by the module that has it. */
export interface Token {
  readonly p11: pkcs11js.PKCS11;
  readonly session: pkcs11js.Handle;
  /** CKM_… numbers; undefined if the token lists none. */
  readonly mechanisms: ReadonlySet<number> | undefined;
}

/** What cannot be done, as the front is told it. */
export class SignerFailure extends Error {
  readonly reason: FailureReport['reason'];
  /** What the token or its module answered; undefined if that is not what failed. */
  readonly ckr: Ckr | undefined;

  constructor(reason: FailureReport['reason'], message: string, ckr?: Ckr) {
    super(message);
    this.reason = reason;
    this.ckr = ckr;
  }
}

/** Loads and initialises a module. Throws SignerFailure. */
export function openModule({ module, libraryParameters }: SignerConfiguration): pkcs11js.PKCS11 {
  const p11 = step(`load ${module}`, () => loadModule(module));
  step('C_Initialize', () => initialize(p11, libraryParameters));
  return p11;
}

/** Finds the token, in whatever slot it is by now, and opens a session. Throws SignerFailure. */
export function openSession(p11: pkcs11js.PKCS11, wanted: SignerConfiguration): OpenSession {
  const slot = findSlot(p11, wanted);
  const session = step('C_OpenSession', () => p11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION));
  return { p11, session, slot, mechanisms: listMechanisms(p11, slot) };
}

/** A session in which nobody need be logged in. */
export interface OpenSession extends Token {
  readonly slot: pkcs11js.Handle;
}

/** What the front wants to know before it gives a PIN. Throws SignerFailure. */
export function loginRequest({ p11, slot }: OpenSession): LoginRequest {
  const { serialNumber, flags } = tokenInfo(p11, slot);
  return {
    serial: trimmed(serialNumber),
    finalTry: (flags & pkcs11js.CKF_USER_PIN_FINAL_TRY) !== 0,
    locked: (flags & pkcs11js.CKF_USER_PIN_LOCKED) !== 0,
  };
}

/** Logs in once. Wipes the frame with the PIN. Throws SignerFailure, `wrong_pin` if the token refuses the PIN. */
export function logIn({ p11, session }: Token, pinFrame: Buffer): void {
  try {
    p11.C_Login(session, pkcs11js.CKU_USER, decodePin(pinFrame).toString('utf8'));
  } catch (error) {
    const code = ckrCodeOf(error);
    if (code === CKR_USER_ALREADY_LOGGED_IN) return;
    const ckr = code === undefined ? undefined : ckrOf(code);
    throw new SignerFailure(ckr?.fault === 'pin' ? 'wrong_pin' : 'token', `C_Login: ${describe(error)}`, ckr);
  } finally {
    pinFrame.fill(0);
  }
}

/** The objects that a template names, at most OBJECTS_MAX. */
export function findObjects(token: Token, template: pkcs11js.Template): pkcs11js.Handle[] {
  const { p11, session } = token;
  const found: pkcs11js.Handle[] = [];
  p11.C_FindObjectsInit(session, template);
  try {
    for (let more = FIND_AT_ONCE; more === FIND_AT_ONCE && found.length < OBJECTS_MAX; ) {
      const handles = p11.C_FindObjects(session, FIND_AT_ONCE);
      more = handles.length;
      found.push(...handles);
    }
  } finally {
    p11.C_FindObjectsFinal(session);
  }
  return found;
}

const FIND_AT_ONCE = 64;
/** Bounds what a faulty module may make the signer hold. */
const OBJECTS_MAX = 100_000;

/** An attribute, or undefined if the object has none or does not tell it. */
export function attributeOf(token: Token, object: pkcs11js.Handle, type: number): Buffer | undefined {
  try {
    return token.p11.C_GetAttributeValue(token.session, object, [{ type }])[0]?.value as Buffer | undefined;
  } catch (error) {
    const code = ckrCodeOf(error);
    if (code === CKR_ATTRIBUTE_SENSITIVE || code === CKR_ATTRIBUTE_TYPE_INVALID) return undefined;
    throw error;
  }
}

/** A CK_ULONG attribute such as CKA_KEY_TYPE: in the byte order of the machine, which is little on all that Signet runs on. */
export function numberOf(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length === 0 ? undefined : value.readUIntLE(0, Math.min(value.length, 6));
}

/** Gives a session back. Some network HSMs keep the session of a client that just went away. */
export function closeSession({ p11, session }: Token): void {
  try {
    p11.C_CloseSession(session);
  } catch {
    // It may be gone already: what is closed is often what failed.
  }
}

export function closeModule(p11: pkcs11js.PKCS11): void {
  try {
    p11.C_Finalize();
  } catch {
    // The process ends anyway.
  }
}

function loadModule(path: string): pkcs11js.PKCS11 {
  // First, so that pkcs11js' own dlopen finds the module bound to its own libraries.
  openModuleDeepbind(path);
  const p11 = new pkcs11js.PKCS11();
  p11.load(path);
  return p11;
}

function initialize(p11: pkcs11js.PKCS11, libraryParameters: string | undefined): void {
  // Without this flag SoftHSM and others switch their locks off.
  const flags = pkcs11js.CKF_OS_LOCKING_OK;
  if (libraryParameters === undefined) p11.C_Initialize({ flags });
  // pkcs11js 2.1.7 drops the last byte of the parameters.
  else p11.C_Initialize({ flags, libraryParameters: `${libraryParameters} ` });
}

function findSlot(p11: pkcs11js.PKCS11, wanted: SignerConfiguration): pkcs11js.Handle {
  const slots = step('C_GetSlotList', () => p11.C_GetSlotList(true));
  const seen = slots.map((slot) => ({
    slot,
    number: numberOf(slot),
    ...tokenInfo(p11, slot),
  }));
  const fitting = seen.filter(
    ({ label, serialNumber, number }) =>
      (wanted.tokenLabel === undefined || trimmed(label) === wanted.tokenLabel) &&
      (wanted.tokenSerial === undefined || trimmed(serialNumber) === wanted.tokenSerial) &&
      (wanted.slot === undefined || number === wanted.slot),
  );
  const found = fitting[0];
  if (found && fitting.length === 1) return found.slot;
  const expected = wanted.tokenLabel ?? wanted.tokenSerial ?? `slot ${wanted.slot}`;
  const there = seen
    .map(({ label, serialNumber }) => `"${trimmed(label)}" (serial ${trimmed(serialNumber)})`)
    .join(', ');
  throw new SignerFailure(
    'token',
    `expected one token "${expected}"; ${fitting.length} fit of those there are: ${there || 'none'}`,
  );
}

function tokenInfo(p11: pkcs11js.PKCS11, slot: pkcs11js.Handle): pkcs11js.TokenInfo {
  return step('C_GetTokenInfo', () => settled(() => p11.C_GetTokenInfo(slot)));
}

const SETTLED_TRIES_MAX = 5;
const SETTLED_WAIT_MS = 10;

/**
 * SoftHSM 2.6.1 answers CKR_GENERAL_ERROR while another process writes to the token, as each login does; and all signers log in at
 * once after a restart of the token. A moment later all is well.
 */
function settled<T>(call: () => T): T {
  for (let tries = 1; tries < SETTLED_TRIES_MAX; tries++) {
    try {
      return call();
    } catch (error) {
      if (ckrCodeOf(error) !== CKR_GENERAL_ERROR) throw error;
      sleep(SETTLED_WAIT_MS);
    }
  }
  return call();
}

/** PKCS#11 pads these fields with blanks. */
function trimmed(field: string): string {
  return field.replace(/[\0 ]+$/, '');
}

/** The message of a failed call names the call and the CKR, and nothing that was passed to it. */
function step<T>(name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const code = ckrCodeOf(error);
    throw new SignerFailure('token', `${name}: ${describe(error)}`, code === undefined ? undefined : ckrOf(code));
  }
}
