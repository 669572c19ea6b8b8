import type { Cancel } from '../signing.js';

/**
 * The requests of a conversation that have no answer yet: their ids, which the caller chose, and how to cancel them.
 *
 * A table of its own making in place of a Map, for the reason that src/row.ts gives: open addressing, at most half full. It does not shrink:
 * 12 bytes for each of twice as many requests as were ever in flight at once.
 */
export class InFlight {
  /** 0 where there is none; no request has that id. */
  #ids = new Uint32Array(PLACES_MIN);
  #cancels: (Cancel | undefined)[] = new Array(PLACES_MIN).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return this.#ids[this.#placeOf(id)] === id;
  }

  /** How to cancel it; undefined if it is not in flight. */
  get(id: number): Cancel | undefined {
    return this.#cancels[this.#placeOf(id)];
  }

  /** An id that is not in flight, 1 to 2^32 - 1. */
  add(id: number, cancel: Cancel): void {
    if ((this.#size + 1) * 2 > this.#ids.length) this.#grow();
    this.#put(id, cancel);
    this.#size++;
  }

  /** Whether it was in flight. */
  delete(id: number): boolean {
    const place = this.#placeOf(id);
    if (this.#ids[place] !== id) return false;
    this.#size--;
    this.#vacate(place);
    return true;
  }

  /** Takes all out. */
  takeAll(): Cancel[] {
    const cancels = this.#cancels.filter((cancel) => cancel !== undefined);
    this.#ids.fill(0);
    this.#cancels.fill(undefined);
    this.#size = 0;
    return cancels;
  }

  /** Where the id is, or where it belongs. */
  #placeOf(id: number): number {
    let place = this.#homeOf(id);
    while (this.#ids[place] !== 0 && this.#ids[place] !== id) place = this.#next(place);
    return place;
  }

  #homeOf(id: number): number {
    return Math.imul(id, SPREAD) >>> Math.clz32(this.#ids.length - 1);
  }

  #next(place: number): number {
    return (place + 1) & (this.#ids.length - 1);
  }

  #put(id: number, cancel: Cancel): void {
    const place = this.#placeOf(id);
    this.#ids[place] = id;
    this.#cancels[place] = cancel;
  }

  /** Whoever stands behind and would not be found over the gap moves into it. */
  #vacate(place: number): void {
    let gap = place;
    for (let at = this.#next(gap); this.#ids[at] !== 0; at = this.#next(at)) {
      const mask = this.#ids.length - 1;
      const fromHome = (at - this.#homeOf(this.#ids[at] as number)) & mask;
      if (fromHome < ((at - gap) & mask)) continue;
      this.#ids[gap] = this.#ids[at] as number;
      this.#cancels[gap] = this.#cancels[at];
      gap = at;
    }
    this.#ids[gap] = 0;
    this.#cancels[gap] = undefined;
  }

  #grow(): void {
    const [ids, cancels] = [this.#ids, this.#cancels];
    this.#ids = new Uint32Array(2 * ids.length);
    this.#cancels = new Array(2 * ids.length).fill(undefined);
    for (const [place, id] of ids.entries()) if (id !== 0) this.#put(id, cancels[place] as Cancel);
    // What is old and of no more use must not keep what is new.
    cancels.fill(undefined);
  }
}

/** Powers of two, and room for half as many requests. */
const PLACES_MIN = 16;
/** Odd and without a pattern (2^32 divided by the golden ratio). The upper bits of a product with it depend on all of the id. */
const SPREAD = 0x9e3779b1;
