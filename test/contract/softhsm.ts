import { createToken } from '../fixtures/softhsm-token.js';
import { type ContractToken, generateWithSignet } from './contract-token.js';

export function softHsm(): ContractToken {
  const { folder, tokenConfig, remove } = createToken();
  const config = tokenConfig();
  return {
    name: 'SoftHSM 2',
    folder,
    config,
    generate: (kind, label) => generateWithSignet(folder, config, kind, label),
    remove,
  };
}
