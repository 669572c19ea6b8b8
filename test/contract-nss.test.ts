import t from 'tap';
import { contract } from './contract/contract.js';
import { nss } from './contract/nss.js';

t.test('the contract on NSS softoken', (t) => contract(t, nss()));
