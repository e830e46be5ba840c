/**
 * Evens out how audio arrives: holds a little back, so that a late message is not heard as a hole. Pure; counts samples, knows no clock.
 */

/** Held back before anything plays. Blocks come every 100 ms; two of them ride out what a busy network does. */
const TARGET_MS = 200;

/**
 * More than this and the listener would no longer hear the call as it is: skip to the target. The hub takes up to 400 ms (a block, its
 * wait for a side that is silent, a rest of its socket), so that even then it is less than a second from the telephone to the ear.
 */
const MOST_MS = 500;

/** Stereo samples waiting to be played, placed by their call time. */
export class JitterBuffer {
  constructor(rateHz) {
    this.perMs = rateHz / 1000;
    /** Messages not yet played out, in the order of call time: `{from, left, right}` with `from` in samples of call time. */
    this.blocks = [];
    /** The next sample of call time to play; null until the first message. */
    this.next = null;
    /** Whether it waits until the target is held back (again). */
    this.filling = true;
    /** How often it ran dry, for the curious. */
    this.dry = 0;
  }

  /** Take one message. What is late or a repeat is dropped: its moment has passed. */
  push(atMs, left, right) {
    const from = Math.round(atMs * this.perMs);
    if (this.next === null) this.next = from;
    if (from + left.length <= this.next || this.blocks.some((block) => block.from === from)) return;
    let at = this.blocks.length;
    while (at > 0 && this.blocks[at - 1].from > from) at -= 1;
    this.blocks.splice(at, 0, { from, left, right });
    if (this.heldMs() > MOST_MS) this.#leapTo(this.#end() - TARGET_MS * this.perMs);
  }

  /** Fill two arrays of one length with the samples that play next; silence where there are none. */
  pull(left, right) {
    left.fill(0);
    right.fill(0);
    if (this.filling && this.heldMs() < TARGET_MS) return;
    this.filling = false;
    for (const block of this.blocks) {
      const offset = block.from - this.next;
      if (offset >= left.length) break;
      const skip = Math.max(0, -offset);
      const place = Math.max(0, offset);
      const count = Math.min(block.left.length - skip, left.length - place);
      left.set(block.left.subarray(skip, skip + count), place);
      right.set(block.right.subarray(skip, skip + count), place);
    }
    this.next += left.length;
    this.#forget();
    if (this.blocks.length === 0) {
      this.filling = true;
      this.dry += 1;
    }
  }

  /** How much audio waits, in milliseconds of call time. */
  heldMs() {
    return this.blocks.length ? (this.#end() - this.next) / this.perMs : 0;
  }

  #end() {
    const last = this.blocks.at(-1);
    return last.from + last.left.length;
  }

  #leapTo(sample) {
    this.next = Math.max(this.next, Math.round(sample));
    this.#forget();
  }

  #forget() {
    while (this.blocks.length && this.blocks[0].from + this.blocks[0].left.length <= this.next) this.blocks.shift();
  }
}
