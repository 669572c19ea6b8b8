import t from 'tap';
import { contract } from '../contract/contract.js';
import { softHsm } from '../contract/softhsm.js';

t.test('the contract on SoftHSM 2', (t) => contract(t, softHsm()));
