/**
 * Evens out how audio arrives: holds a little back, so that a late message does not leave a hole. Pure: counts samples, knows no clock.
 */

/** How much is held back before anything plays: two blocks of 100 ms, enough for a busy network. */
const TARGET_MS = 200;

/**
 * How much may be held. Beyond it the buffer skips to the target, because listening would no longer be live. The hub itself takes up to 400
 * ms (a block, the wait for a silent side, a rest of its socket), so that the delay from telephone to ear stays below a second.
 */
const MOST_MS = 500;

/** Stereo samples waiting to be played, placed by their call time. */
export class JitterBuffer {
  constructor(rateHz) {
    this.perMs = rateHz / 1000;
    /** Messages that were not fully played, in the order of call time: `{from, left, right}` with `from` in samples of call time. */
    this.blocks = [];
    /** The next sample of call time to play; null until the first message. */
    this.next = null;
    /** Whether the buffer waits until the target is held back (again). */
    this.filling = true;
    /** How often the buffer ran dry. For tests and debugging. */
    this.dry = 0;
  }

  /** Add one message. A late or repeated one is dropped: its moment has passed. */
  push(atMs, left, right) {
    const from = Math.round(atMs * this.perMs);
    if (this.next === null) this.next = from;
    if (from + left.length <= this.next || this.blocks.some((block) => block.from === from)) return;
    let at = this.blocks.length;
    while (at > 0 && this.blocks[at - 1].from > from) at -= 1;
    this.blocks.splice(at, 0, { from, left, right });
    if (this.heldMs() > MOST_MS) this.#leapTo(this.#end() - TARGET_MS * this.perMs);
  }

  /** Fill two arrays of equal length with the next samples, or with silence where there are none. */
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

  /** How much audio is held, in milliseconds of call time. */
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
