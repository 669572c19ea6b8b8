import { SignetError } from '../errors.js';

/** No key, or more than one, has the name. */
export class KeyNotFound extends SignetError {
  constructor(message: string) {
    super('invalid_argument', message);
    this.name = 'KeyNotFound';
  }
}

/** The token has a key of that label, or that very key, already. */
export class KeyExists extends SignetError {
  constructor(message: string) {
    super('invalid_argument', message);
    this.name = 'KeyExists';
  }
}
