/** Whose fault a return value is, and so what has to go: the request, the session, the token, or the signer itself. */
export type Fault = 'request' | 'session' | 'token' | 'signer' | 'pin';

export interface Ckr {
  readonly code: number;
  readonly name: string;
  readonly fault: Fault;
  /** Whether another signer may do what this one could not. */
  readonly retryElsewhere: boolean;
}

/** PKCS#11 v2.40, section 6.1.x of the base specification and its header pkcs11t.h. */
const TABLE: readonly Ckr[] = [
  row(0x002, 'CKR_HOST_MEMORY', 'signer'),
  row(0x003, 'CKR_SLOT_ID_INVALID', 'token'),
  row(0x005, 'CKR_GENERAL_ERROR', 'token'),
  row(0x006, 'CKR_FUNCTION_FAILED', 'token'),
  row(0x007, 'CKR_ARGUMENTS_BAD', 'request'),
  row(0x009, 'CKR_NEED_TO_CREATE_THREADS', 'signer'),
  row(0x00a, 'CKR_CANT_LOCK', 'signer'),
  row(0x020, 'CKR_DATA_INVALID', 'request'),
  row(0x021, 'CKR_DATA_LEN_RANGE', 'request'),
  row(0x030, 'CKR_DEVICE_ERROR', 'token'),
  row(0x031, 'CKR_DEVICE_MEMORY', 'token'),
  row(0x032, 'CKR_DEVICE_REMOVED', 'token'),
  row(0x050, 'CKR_FUNCTION_CANCELED', 'session'),
  row(0x054, 'CKR_FUNCTION_NOT_SUPPORTED', 'request'),
  // The handle no longer names the key: the objects must be looked up again, which a new signer does.
  row(0x060, 'CKR_KEY_HANDLE_INVALID', 'session'),
  row(0x062, 'CKR_KEY_SIZE_RANGE', 'request'),
  row(0x063, 'CKR_KEY_TYPE_INCONSISTENT', 'request'),
  row(0x068, 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'request'),
  row(0x070, 'CKR_MECHANISM_INVALID', 'request'),
  row(0x071, 'CKR_MECHANISM_PARAM_INVALID', 'request'),
  row(0x082, 'CKR_OBJECT_HANDLE_INVALID', 'session'),
  // The session is stuck in an operation that nobody will finish.
  row(0x090, 'CKR_OPERATION_ACTIVE', 'session'),
  row(0x091, 'CKR_OPERATION_NOT_INITIALIZED', 'session'),
  row(0x0a0, 'CKR_PIN_INCORRECT', 'pin'),
  row(0x0a1, 'CKR_PIN_INVALID', 'pin'),
  row(0x0a2, 'CKR_PIN_LEN_RANGE', 'pin'),
  row(0x0a3, 'CKR_PIN_EXPIRED', 'pin'),
  row(0x0a4, 'CKR_PIN_LOCKED', 'pin'),
  row(0x0b0, 'CKR_SESSION_CLOSED', 'session'),
  row(0x0b1, 'CKR_SESSION_COUNT', 'session'),
  row(0x0b3, 'CKR_SESSION_HANDLE_INVALID', 'session'),
  row(0x0e0, 'CKR_TOKEN_NOT_PRESENT', 'token'),
  row(0x0e1, 'CKR_TOKEN_NOT_RECOGNIZED', 'token'),
  row(0x101, 'CKR_USER_NOT_LOGGED_IN', 'session'),
  row(0x102, 'CKR_USER_PIN_NOT_INITIALIZED', 'pin'),
  row(0x103, 'CKR_USER_TYPE_INVALID', 'session'),
  row(0x150, 'CKR_BUFFER_TOO_SMALL', 'session'),
  row(0x190, 'CKR_CRYPTOKI_NOT_INITIALIZED', 'signer'),
  row(0x1a0, 'CKR_MUTEX_BAD', 'signer'),
  row(0x200, 'CKR_FUNCTION_REJECTED', 'request'),
];

export const CKR_ATTRIBUTE_SENSITIVE = 0x011;
export const CKR_ATTRIBUTE_TYPE_INVALID = 0x012;
export const CKR_USER_ALREADY_LOGGED_IN = 0x100;

const BY_CODE = new Map(TABLE.map((ckr) => [ckr.code, ckr]));

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

function row(code: number, name: string, fault: Fault): Ckr {
  return { code, name, fault, retryElsewhere: fault !== 'request' && fault !== 'pin' };
}
