/**
 * Things in the order in which they came, of which any can leave at any time.
 *
 * For what every request enters and leaves, in place of a Map or a Set: V8 makes those anew as they are used, and the table of before
 * keeps pointing to the one after it. Once the garbage collector has taken one of them for old, it takes all that follow for used, with
 * everything that ever stood in them (docs/performance.md, "No map on the way").
 */
export class Row<Thing> implements Iterable<Thing> {
  #first: Link<Thing> | undefined;
  #last: Link<Thing> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Thing | undefined {
    return this.#first?.thing;
  }

  get last(): Thing | undefined {
    return this.#last?.thing;
  }

  /** Puts it at the end. Whoever takes it out again keeps the place. */
  add(thing: Thing): Place {
    const link: Link<Thing> = { thing, before: this.#last, after: undefined };
    if (this.#last) this.#last.after = link;
    else this.#first = link;
    this.#last = link;
    this.#size++;
    return link;
  }

  /** Takes out what has a place in this row, once. */
  remove(place: Place): void {
    const link = place as Link<Thing>;
    const { before, after } = link;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    // One that has left holds on to nobody: that would be such a chain as well.
    link.before = undefined;
    link.after = undefined;
    this.#size--;
  }

  /** While it goes on, what it gave last may leave, and no other. */
  *[Symbol.iterator](): Generator<Thing, void> {
    for (let link = this.#first; link; ) {
      const { thing, after } = link;
      yield thing;
      link = after;
    }
  }
}

/** Where a thing stands in its row. */
export interface Place {
  readonly thing: unknown;
}

interface Link<Thing> extends Place {
  readonly thing: Thing;
  before: Link<Thing> | undefined;
  after: Link<Thing> | undefined;
}
