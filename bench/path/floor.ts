/** The floor of pool.ts: C_SignInit and C_Sign in a loop. A line on stdin, `label milliseconds digest`, asks for a round. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import pkcs11js from 'pkcs11js';
import { openModuleDeepbind } from '../../src/native-addon.js';

const [module = '', label = '', pinFile = ''] = process.argv.slice(2);
openModuleDeepbind(module);
const p11 = new pkcs11js.PKCS11();
p11.load(module);
p11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const slot = p11.C_GetSlotList(true).find((s) => p11.C_GetTokenInfo(s).label.trimEnd() === label);
if (!slot) throw new Error(`no token ${label}`);
const session = p11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
p11.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trimEnd());

const PSS = {
  type: pkcs11js.CK_PARAMS_RSA_PSS,
  hashAlg: pkcs11js.CKM_SHA256,
  mgf: pkcs11js.CKG_MGF1_SHA256,
  saltLen: 32,
};
const output = Buffer.alloc(1024);

for await (const line of createInterface({ input: process.stdin })) {
  const [key = '', milliseconds, digest = ''] = line.split(' ');
  console.log(JSON.stringify(round(key, Number(milliseconds), Buffer.from(digest, 'hex'))));
}

function round(keyLabel: string, milliseconds: number, digest: Buffer): object {
  p11.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
    { type: pkcs11js.CKA_LABEL, value: keyLabel },
  ]);
  const key = p11.C_FindObjects(session, 1)[0];
  p11.C_FindObjectsFinal(session);
  if (!key) throw new Error(`no key ${keyLabel}`);
  const mechanism = keyLabel.startsWith('rsa')
    ? { mechanism: pkcs11js.CKM_RSA_PKCS_PSS, parameter: PSS }
    : { mechanism: pkcs11js.CKM_ECDSA };
  const latenciesUs: number[] = [];
  const cpuAtFirstUs = cpuUs();
  const begun = performance.now();
  for (let now = begun; now - begun < milliseconds; ) {
    p11.C_SignInit(session, mechanism, key);
    p11.C_Sign(session, digest, output);
    const then = performance.now();
    latenciesUs.push((then - now) * 1000);
    now = then;
  }
  return { latenciesUs, tookMs: performance.now() - begun, cpuUs: cpuUs() - cpuAtFirstUs, frontCpuUs: 0 };
}

/** Time on a CPU of the main thread (proc(5), schedstat). */
function cpuUs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1000;
}
