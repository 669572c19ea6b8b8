/** The child process of contract-token.ts: prints the mechanisms of a token as JSON, each with its range of sizes. */
import pkcs11js from 'pkcs11js';
import { openModuleDeepbind } from '../../src/native-addon.js';

const { module, library_parameters, token_label } = JSON.parse(process.argv[2] as string);
openModuleDeepbind(module);
const p11 = new pkcs11js.PKCS11();
p11.load(module);
const flags = pkcs11js.CKF_OS_LOCKING_OK;
// pkcs11js drops the last byte.
p11.C_Initialize(library_parameters ? { flags, libraryParameters: `${library_parameters} ` } : { flags });
const slot = p11.C_GetSlotList(true).find((s) => p11.C_GetTokenInfo(s).label.trimEnd() === token_label);
if (!slot) throw new Error(`no token ${token_label}`);
const mechanisms = p11.C_GetMechanismList(slot).map((type) => {
  const { minKeySize: min, maxKeySize: max } = p11.C_GetMechanismInfo(slot, type);
  return [type, { min, max }];
});
console.log(JSON.stringify(mechanisms));
p11.C_Finalize();
