/**
 * Whose fault a return value is.
 *
 * - `caller`: what was asked for cannot be done; nobody would fare better.
 * - `key`: this object, or the handle that it had.
 * - `session`: it is gone, or in no state to be used.
 * - `login`: the session is there and nobody is logged in.
 * - `pin`: the token refuses the PIN; a person has to look, and no login may be tried again.
 * - `token`: the device, its driver or the way to it.
 * - `module`: the library in this process is beyond repair.
 * - `busy`: the token has too much to do just now, and nothing is broken.
 */
export type Fault = 'caller' | 'key' | 'session' | 'login' | 'pin' | 'token' | 'module' | 'busy';

/** What cannot be used any more, with all that stands on it: keys stand on the login, that on the session, that on the signer. */
export type Retires = 'nothing' | 'keys' | 'login' | 'session' | 'signer';

/** What is to be done about a return value. */
export interface Ckr {
  readonly code: number;
  readonly name: string;
  readonly fault: Fault;
  /** Whether the same request may succeed: later, on what replaces the retired, or on another token. */
  readonly retry: boolean;
  readonly retires: Retires;
}

/** What follows from the fault, where a code has nothing of its own. */
const VERDICTS: Readonly<Record<Fault, Pick<Ckr, 'retry' | 'retires'>>> = {
  caller: { retry: false, retires: 'nothing' },
  key: { retry: false, retires: 'nothing' },
  session: { retry: true, retires: 'session' },
  login: { retry: true, retires: 'login' },
  pin: { retry: false, retires: 'signer' },
  token: { retry: true, retires: 'nothing' },
  module: { retry: true, retires: 'signer' },
  busy: { retry: true, retires: 'nothing' },
};

/** The handle names nothing; the key may be there under another, as after a restart of the token. */
const LOOK_AGAIN = { retry: true, retires: 'keys' } as const;
/** "Removing a token closes all sessions with it" (2.40 §5.1.2), and it may come back in another slot. */
const SESSIONS_GONE = { retry: true, retires: 'session' } as const;

/**
 * Every return value of PKCS#11 2.40, in the order of its header. What each means stands in §5.1 of the base specification: §5.1.1 what any
 * function may return, §5.1.2 those with a session, §5.1.3 those with a token, §5.1.4 and §5.1.5 callbacks and mutexes, §5.1.6 the rest.
 * A comment here says why, where the fault is not plain from the text there.
 */
export const CKRS: readonly Ckr[] = [
  // Only from a callback (§5.1.4), and Signet gives none.
  row(0x001, 'CKR_CANCEL', 'module'),
  row(0x002, 'CKR_HOST_MEMORY', 'module'),
  row(0x003, 'CKR_SLOT_ID_INVALID', 'token', SESSIONS_GONE),
  // "Some horrible, unrecoverable error" (§5.1.1): the library's state is unknown.
  row(0x005, 'CKR_GENERAL_ERROR', 'module'),
  // "An attempt to make the exact same function call again would succeed" perhaps (§5.1.1). AWS CloudHSM's client SDK 5 says it when
  // the HSM throttles; a session that were given up for it would cost the busy HSM a login.
  row(0x006, 'CKR_FUNCTION_FAILED', 'busy'),
  row(0x007, 'CKR_ARGUMENTS_BAD', 'caller'),
  row(0x008, 'CKR_NO_EVENT', 'caller'),
  row(0x009, 'CKR_NEED_TO_CREATE_THREADS', 'module'),
  row(0x00a, 'CKR_CANT_LOCK', 'module'),
  row(0x010, 'CKR_ATTRIBUTE_READ_ONLY', 'caller'),
  row(0x011, 'CKR_ATTRIBUTE_SENSITIVE', 'key'),
  row(0x012, 'CKR_ATTRIBUTE_TYPE_INVALID', 'key'),
  row(0x013, 'CKR_ATTRIBUTE_VALUE_INVALID', 'caller'),
  row(0x01b, 'CKR_ACTION_PROHIBITED', 'key'),
  row(0x020, 'CKR_DATA_INVALID', 'caller'),
  row(0x021, 'CKR_DATA_LEN_RANGE', 'caller'),
  // Whether the session is still good is not said (§5.1.3): the signer keeps it until a proof on it has failed as well.
  row(0x030, 'CKR_DEVICE_ERROR', 'token'),
  row(0x031, 'CKR_DEVICE_MEMORY', 'token'),
  row(0x032, 'CKR_DEVICE_REMOVED', 'token', SESSIONS_GONE),
  row(0x040, 'CKR_ENCRYPTED_DATA_INVALID', 'caller'),
  row(0x041, 'CKR_ENCRYPTED_DATA_LEN_RANGE', 'caller'),
  row(0x050, 'CKR_FUNCTION_CANCELED', 'token'),
  row(0x051, 'CKR_FUNCTION_NOT_PARALLEL', 'caller'),
  row(0x054, 'CKR_FUNCTION_NOT_SUPPORTED', 'caller'),
  row(0x060, 'CKR_KEY_HANDLE_INVALID', 'key', LOOK_AGAIN),
  row(0x062, 'CKR_KEY_SIZE_RANGE', 'key'),
  row(0x063, 'CKR_KEY_TYPE_INCONSISTENT', 'key'),
  row(0x064, 'CKR_KEY_NOT_NEEDED', 'caller'),
  row(0x065, 'CKR_KEY_CHANGED', 'key'),
  row(0x066, 'CKR_KEY_NEEDED', 'caller'),
  row(0x067, 'CKR_KEY_INDIGESTIBLE', 'key'),
  row(0x068, 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'key'),
  row(0x069, 'CKR_KEY_NOT_WRAPPABLE', 'key'),
  row(0x06a, 'CKR_KEY_UNEXTRACTABLE', 'key'),
  row(0x070, 'CKR_MECHANISM_INVALID', 'caller'),
  row(0x071, 'CKR_MECHANISM_PARAM_INVALID', 'caller'),
  row(0x082, 'CKR_OBJECT_HANDLE_INVALID', 'key', LOOK_AGAIN),
  // AWS CloudHSM's client SDK 3 says it when the HSM is busy. From others it means an operation that nobody ended, so that is
  // ended before the next attempt (src/signer/busy-wait.ts).
  row(0x090, 'CKR_OPERATION_ACTIVE', 'busy'),
  // Never after our own C_SignInit, unless the session was taken away and given again in between.
  row(0x091, 'CKR_OPERATION_NOT_INITIALIZED', 'session'),
  row(0x0a0, 'CKR_PIN_INCORRECT', 'pin'),
  row(0x0a1, 'CKR_PIN_INVALID', 'pin'),
  row(0x0a2, 'CKR_PIN_LEN_RANGE', 'pin'),
  row(0x0a3, 'CKR_PIN_EXPIRED', 'pin'),
  row(0x0a4, 'CKR_PIN_LOCKED', 'pin'),
  row(0x0b0, 'CKR_SESSION_CLOSED', 'session'),
  row(0x0b1, 'CKR_SESSION_COUNT', 'session'),
  row(0x0b3, 'CKR_SESSION_HANDLE_INVALID', 'session'),
  row(0x0b4, 'CKR_SESSION_PARALLEL_NOT_SUPPORTED', 'caller'),
  row(0x0b5, 'CKR_SESSION_READ_ONLY', 'caller'),
  row(0x0b6, 'CKR_SESSION_EXISTS', 'session'),
  row(0x0b7, 'CKR_SESSION_READ_ONLY_EXISTS', 'session'),
  row(0x0b8, 'CKR_SESSION_READ_WRITE_SO_EXISTS', 'session'),
  row(0x0c0, 'CKR_SIGNATURE_INVALID', 'caller'),
  row(0x0c1, 'CKR_SIGNATURE_LEN_RANGE', 'caller'),
  row(0x0d0, 'CKR_TEMPLATE_INCOMPLETE', 'caller'),
  row(0x0d1, 'CKR_TEMPLATE_INCONSISTENT', 'caller'),
  row(0x0e0, 'CKR_TOKEN_NOT_PRESENT', 'token', SESSIONS_GONE),
  row(0x0e1, 'CKR_TOKEN_NOT_RECOGNIZED', 'token', SESSIONS_GONE),
  row(0x0e2, 'CKR_TOKEN_WRITE_PROTECTED', 'caller'),
  row(0x0f0, 'CKR_UNWRAPPING_KEY_HANDLE_INVALID', 'key'),
  row(0x0f1, 'CKR_UNWRAPPING_KEY_SIZE_RANGE', 'key'),
  row(0x0f2, 'CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT', 'key'),
  // Not an error where it can come from: the login that was wanted is there.
  row(0x100, 'CKR_USER_ALREADY_LOGGED_IN', 'caller'),
  row(0x101, 'CKR_USER_NOT_LOGGED_IN', 'login'),
  row(0x102, 'CKR_USER_PIN_NOT_INITIALIZED', 'pin'),
  row(0x103, 'CKR_USER_TYPE_INVALID', 'login'),
  // Another user of the same library; the login ends with its last session (§5.6, C_Login), so a new session clears it.
  row(0x104, 'CKR_USER_ANOTHER_ALREADY_LOGGED_IN', 'session'),
  row(0x105, 'CKR_USER_TOO_MANY_TYPES', 'session'),
  row(0x110, 'CKR_WRAPPED_KEY_INVALID', 'caller'),
  row(0x112, 'CKR_WRAPPED_KEY_LEN_RANGE', 'caller'),
  row(0x113, 'CKR_WRAPPING_KEY_HANDLE_INVALID', 'key'),
  row(0x114, 'CKR_WRAPPING_KEY_SIZE_RANGE', 'key'),
  row(0x115, 'CKR_WRAPPING_KEY_TYPE_INCONSISTENT', 'key'),
  row(0x120, 'CKR_RANDOM_SEED_NOT_SUPPORTED', 'caller'),
  row(0x121, 'CKR_RANDOM_NO_RNG', 'token'),
  row(0x130, 'CKR_DOMAIN_PARAMS_INVALID', 'key'),
  row(0x140, 'CKR_CURVE_NOT_SUPPORTED', 'key'),
  // The operation stays active (§5.2), so the session is of no more use. Our buffers are too large for it to happen.
  row(0x150, 'CKR_BUFFER_TOO_SMALL', 'session'),
  row(0x160, 'CKR_SAVED_STATE_INVALID', 'caller'),
  row(0x170, 'CKR_INFORMATION_SENSITIVE', 'key'),
  row(0x180, 'CKR_STATE_UNSAVEABLE', 'caller'),
  row(0x190, 'CKR_CRYPTOKI_NOT_INITIALIZED', 'module'),
  row(0x191, 'CKR_CRYPTOKI_ALREADY_INITIALIZED', 'module'),
  row(0x1a0, 'CKR_MUTEX_BAD', 'module'),
  row(0x1a1, 'CKR_MUTEX_NOT_LOCKED', 'module'),
  row(0x1b0, 'CKR_NEW_PIN_MODE', 'pin'),
  row(0x1b1, 'CKR_NEXT_OTP', 'pin'),
  row(0x1b5, 'CKR_EXCEEDED_MAX_ITERATIONS', 'key'),
  // "The token is in an error state" after its own test (§5.1.6): what is opened anew runs it again.
  row(0x1b6, 'CKR_FIPS_SELF_TEST_FAILED', 'token', SESSIONS_GONE),
  row(0x1b7, 'CKR_LIBRARY_LOAD_FAILED', 'module'),
  row(0x1b8, 'CKR_PIN_TOO_WEAK', 'pin'),
  row(0x1b9, 'CKR_PUBLIC_KEY_INVALID', 'key'),
  row(0x200, 'CKR_FUNCTION_REJECTED', 'caller'),
];

export const CKR_GENERAL_ERROR = 0x005;
export const CKR_ATTRIBUTE_SENSITIVE = 0x011;
export const CKR_ATTRIBUTE_TYPE_INVALID = 0x012;
export const CKR_OPERATION_ACTIVE = 0x090;
export const CKR_USER_ALREADY_LOGGED_IN = 0x100;

const BY_CODE = new Map(CKRS.map((ckr) => [ckr.code, ckr]));

/** The code of what pkcs11js threw, or undefined if it is no PKCS#11 error. C_FindObjects throws it unparsed. */
export function ckrCodeOf(thrown: unknown): number | undefined {
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  if (typeof code === 'number' && code > 0) return code;
  const written = /CKR_\w+:(\d+)/.exec(String(message))?.[1];
  return written === undefined ? undefined : Number(written);
}

/** What is known of a code. An unknown one, a vendor's own for instance, counts against the token. */
export function ckrOf(code: number): Ckr {
  return BY_CODE.get(code) ?? row(code, `CKR 0x${code.toString(16)}`, 'token');
}

/** What pkcs11js threw in one short line, for logs. */
export function describe(thrown: unknown): string {
  const code = ckrCodeOf(thrown);
  return code === undefined ? String((thrown as Error)?.message ?? thrown) : ckrOf(code).name;
}

function row(code: number, name: string, fault: Fault, verdict = VERDICTS[fault]): Ckr {
  return { code, name, fault, ...verdict };
}
