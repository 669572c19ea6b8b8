import { BinaryReader } from '@bufbuild/protobuf/wire';
import { SignStreamRequest } from '../../gen/signet/v1/sign.js';
import type { ByteBudget } from '../byte-budget.js';
import { FRAME_BYTES_MAX } from '../conversation.js';

/** Who takes the frames. */
export interface FrameSink {
  /** Whether to go on reading. */
  frame(message: SignStreamRequest): boolean;
  /** What came is no frame; nothing more is read. */
  malformed(message: string): void;
  /** The memory for half frames is used up; nothing more is read. */
  exhausted(): void;
}

const LENGTH_BYTES = 4;
const PARTIAL_BYTES_MIN = 1_024;

/**
 * Cuts what a socket reads into frames (docs/protocol.md) and decodes them where they lie. Only a frame that has not wholly
 * come is copied: into memory that grows with what came, not with what its length announces.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #budget: ByteBudget;
  #partial: Buffer | undefined;
  #have = 0;
  #begunMs = 0;

  constructor(sink: FrameSink, budget: ByteBudget) {
    this.#sink = sink;
    this.#budget = budget;
  }

  /** When the frame that has not wholly come was begun, by performance.now(); 0 if there is none. */
  get begunMs(): number {
    return this.#begunMs;
  }

  push(chunk: Buffer): void {
    const at = this.#have > 0 ? this.#complete(chunk) : 0;
    if (at >= 0 && at < chunk.length) this.#cut(chunk, at);
  }

  /** Gives the memory back. */
  release(): void {
    if (this.#partial) this.#budget.give(this.#partial.length);
    this.#partial = undefined;
    this.#have = 0;
    this.#begunMs = 0;
  }

  /** One BinaryReader for all frames of a chunk: an object less per request. */
  #cut(chunk: Buffer, start: number): void {
    const reader = new BinaryReader(chunk);
    let at = start;
    while (chunk.length - at >= LENGTH_BYTES) {
      const length = chunk.readUInt32BE(at);
      if (!this.#lengthFits(length)) return;
      const end = at + LENGTH_BYTES + length;
      if (end > chunk.length) break;
      reader.pos = at + LENGTH_BYTES;
      if (!this.#decode(reader, length)) return;
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length);
  }

  /** Fills up the frame that was begun and decodes it. Where the next frame begins in the chunk; -1 if reading must end. */
  #complete(chunk: Buffer): number {
    let at = 0;
    if (this.#have < LENGTH_BYTES) {
      at = Math.min(chunk.length, LENGTH_BYTES - this.#have);
      if (!this.#keep(chunk, 0, at)) return -1;
      if (this.#have < LENGTH_BYTES) return at;
    }
    const partial = this.#partial as Buffer;
    const length = partial.readUInt32BE(0);
    if (!this.#lengthFits(length)) return -1;
    const end = Math.min(chunk.length, at + LENGTH_BYTES + length - this.#have);
    if (!this.#keep(chunk, at, end)) return -1;
    if (this.#have < LENGTH_BYTES + length) return end;
    return this.#decodePartial(length) ? end : -1;
  }

  #decodePartial(length: number): boolean {
    const reader = new BinaryReader((this.#partial as Buffer).subarray(0, LENGTH_BYTES + length));
    reader.pos = LENGTH_BYTES;
    this.release();
    return this.#decode(reader, length);
  }

  #decode(reader: BinaryReader, length: number): boolean {
    const end = reader.pos + length;
    let message: SignStreamRequest | undefined;
    try {
      message = SignStreamRequest.decode(reader, length);
    } catch {
      message = undefined;
    }
    // A field that claims more than the frame holds is read past its end: into the next frame's bytes, never past the chunk.
    if (message === undefined || reader.pos !== end) {
      this.#sink.malformed(
        'expected a SignStreamRequest of sign.proto; what came does not parse; speak docs/protocol.md',
      );
      return false;
    }
    return this.#sink.frame(message);
  }

  #lengthFits(length: number): boolean {
    if (length >= 1 && length <= FRAME_BYTES_MAX) return true;
    this.#sink.malformed(
      `expected a frame of 1 to ${FRAME_BYTES_MAX} bytes; a length of ${length} came; speak docs/protocol.md`,
    );
    return false;
  }

  #keep(chunk: Buffer, start: number, end: number): boolean {
    const needed = this.#have + end - start;
    if (!this.#grow(needed)) return false;
    if (this.#have === 0) this.#begunMs = performance.now();
    chunk.copy(this.#partial as Buffer, this.#have, start, end);
    this.#have = needed;
    return true;
  }

  #grow(needed: number): boolean {
    const capacity = this.#partial?.length ?? 0;
    if (needed <= capacity) return true;
    let grown = Math.max(capacity, PARTIAL_BYTES_MIN / 2);
    while (grown < needed) grown *= 2;
    if (!this.#budget.take(grown - capacity)) {
      this.#sink.exhausted();
      return false;
    }
    const partial = Buffer.allocUnsafe(grown);
    this.#partial?.copy(partial, 0, 0, this.#have);
    this.#partial = partial;
    return true;
  }
}
