import pkcs11js from 'pkcs11js';
import { openModuleDeepbind } from '../native-addon.js';
import { decodePin, type FailureReport, type LoginRequest, type SignerConfiguration } from '../pool/messages.js';
import {
  CKR_ATTRIBUTE_SENSITIVE,
  CKR_ATTRIBUTE_TYPE_INVALID,
  CKR_USER_ALREADY_LOGGED_IN,
  ckrCodeOf,
  ckrOf,
  describe,
} from './ckr.js';
import { listMechanisms } from './mechanisms.js';

/** An opened, logged in token: one module, one session. */
export interface Token {
  readonly p11: pkcs11js.PKCS11;
  readonly session: pkcs11js.Handle;
  /** CKM_… numbers; undefined if the token lists none. */
  readonly mechanisms: ReadonlySet<number> | undefined;
}

/** Why the signer cannot go on; its last words to the front. */
export class SignerFailure extends Error {
  readonly reason: FailureReport['reason'];

  constructor(reason: FailureReport['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Where the PIN for one C_Login comes from: the frame with it, which is wiped after use. It returns when this signer's turn has come, and
 * not at all when none is to be tried.
 */
export type AskForPin = (request: LoginRequest) => Buffer;

/** Loads the module, finds the token, opens the session and logs in, once. Throws SignerFailure. */
export function openToken(configuration: SignerConfiguration, askForPin: AskForPin): Token {
  const p11 = step(`load ${configuration.module}`, () => loadModule(configuration.module));
  step('C_Initialize', () => initialize(p11, configuration.libraryParameters));
  const slot = findSlot(p11, configuration);
  const session = step('C_OpenSession', () => p11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION));
  logIn(p11, session, askForPin(loginRequestOf(step('C_GetTokenInfo', () => p11.C_GetTokenInfo(slot)))));
  return { p11, session, mechanisms: listMechanisms(p11, slot) };
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

/** Gives the session back. Some network HSMs keep the session of a client that just went away. */
export function closeToken({ p11, session }: Token): void {
  try {
    p11.C_CloseSession(session);
    p11.C_Finalize();
  } catch {
    // The process ends anyway, and the session may be what failed.
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
    ...step('C_GetTokenInfo', () => p11.C_GetTokenInfo(slot)),
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

/** PKCS#11 pads these fields with blanks. */
function trimmed(field: string): string {
  return field.replace(/[\0 ]+$/, '');
}

function loginRequestOf({ serialNumber, flags }: pkcs11js.TokenInfo): LoginRequest {
  return {
    serial: trimmed(serialNumber),
    finalTry: (flags & pkcs11js.CKF_USER_PIN_FINAL_TRY) !== 0,
    locked: (flags & pkcs11js.CKF_USER_PIN_LOCKED) !== 0,
  };
}

/** Wipes the frame with the PIN. */
function logIn(p11: pkcs11js.PKCS11, session: pkcs11js.Handle, pinFrame: Buffer): void {
  try {
    p11.C_Login(session, pkcs11js.CKU_USER, decodePin(pinFrame).toString('utf8'));
  } catch (error) {
    const code = ckrCodeOf(error);
    if (code === CKR_USER_ALREADY_LOGGED_IN) return;
    const isPin = code !== undefined && ckrOf(code).fault === 'pin';
    throw new SignerFailure(isPin ? 'wrong_pin' : 'token', `C_Login: ${describe(error)}`);
  } finally {
    pinFrame.fill(0);
  }
}

/** The message of a failed call names the call and the CKR, and nothing that was passed to it. */
function step<T>(name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new SignerFailure('token', `${name}: ${describe(error)}`);
  }
}
