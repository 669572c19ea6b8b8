/** In a slot's number; the rest of an id tells those apart that had the same slot. */
const SLOT_BITS = 16;
const SLOTS_MAX = 2 ** SLOT_BITS;
const USES_MAX = 2 ** (32 - SLOT_BITS);

/**
 * Things that wait for an answer, each under an id of 32 bits that is given to it here, never 0. An id does not come again for 65,535 others.
 * For what every request enters and leaves, in place of a Map, for the reason that src/row.ts gives. It does not shrink.
 */
export class Slots<Thing> {
  readonly #things: (Thing | undefined)[] = [];
  readonly #ids: number[] = [];
  readonly #free: number[] = [];
  #uses = 0;

  /** Gives its id. Throws when 65,536 are there. */
  add(thing: Thing): number {
    const slot = this.#free.pop() ?? this.#things.length;
    if (slot === SLOTS_MAX) throw new Error(`expected at most ${SLOTS_MAX} things at once; one more came`);
    this.#uses = (this.#uses % (USES_MAX - 1)) + 1;
    const id = this.#uses * SLOTS_MAX + slot;
    this.#things[slot] = thing;
    this.#ids[slot] = id;
    return id;
  }

  /** Takes it out; undefined if there is none of this id. */
  take(id: number): Thing | undefined {
    const slot = id % SLOTS_MAX;
    const thing = this.#things[slot];
    if (thing === undefined || this.#ids[slot] !== id) return undefined;
    this.#things[slot] = undefined;
    this.#free.push(slot);
    return thing;
  }
}
