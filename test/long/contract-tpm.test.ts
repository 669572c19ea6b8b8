import t from 'tap';
import { contract } from '../contract/contract.js';
import { tpm } from '../contract/tpm.js';

t.test('the contract on a TPM 2.0', async (t) => contract(t, await tpm()));
