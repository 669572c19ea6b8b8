import { type Caller, describeCaller } from '../caller.js';
import type { Client } from '../signing.js';
import type { Policy } from './policy.js';

/** The policy in force. A reload puts another in its place between two requests; connections stay and are named anew. */
export class CurrentPolicy {
  #policy: Policy;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  get policy(): Policy {
    return this.#policy;
  }

  replace(policy: Policy): void {
    this.#policy = policy;
  }

  clientOf(caller: Caller): Client {
    return new NamedClient(caller, this);
  }
}

/** Looks its principal up again only when the policy is another, so a withdrawn principal has no power left on an open connection. */
class NamedClient implements Client {
  readonly caller: Caller;
  readonly description: string;
  readonly #current: CurrentPolicy;
  #namedBy: Policy | undefined;
  #principal: string | undefined;

  constructor(caller: Caller, current: CurrentPolicy) {
    this.caller = caller;
    this.description = describeCaller(caller);
    this.#current = current;
  }

  get principal(): string | undefined {
    const { policy } = this.#current;
    if (policy !== this.#namedBy) {
      this.#namedBy = policy;
      this.#principal = policy.identify(this.caller);
    }
    return this.#principal;
  }
}
