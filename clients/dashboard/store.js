/**
 * Holds the state: folds what comes in, at most once a frame, and says when there is something to draw.
 */

import { foldAll, nothing } from "./fold.js";

/** Twenty pictures a second are smooth for text; more would only cost a laptop its battery. */
const FRAME_MS = 50;

/** A hidden page draws nothing, but must not heap up what it hears. */
const MOST_QUEUED = 2000;

export class Store {
  #queue = [];
  #waiting = false;
  #drawnAt = 0;

  /** `draw` is called after new events were folded, in an animation frame; `settled` also while the page is hidden. */
  constructor({ settled, draw }) {
    this.state = nothing();
    this.settled = settled;
    this.draw = draw;
    document.addEventListener("visibilitychange", () => document.hidden || this.soon());
  }

  /** Take in one event. */
  take(event) {
    this.#queue.push(event);
    if (this.#queue.length >= MOST_QUEUED) this.settle();
    this.soon();
  }

  /** Fold what waits. */
  settle() {
    if (this.#queue.length === 0) return;
    const events = this.#queue;
    this.#queue = [];
    this.state = foldAll(this.state, events);
    this.settled(this.state);
  }

  /** Draw soon. */
  soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    const rest = document.hidden ? 1000 : Math.max(0, FRAME_MS - (performance.now() - this.#drawnAt));
    setTimeout(() => (document.hidden ? this.#frame() : requestAnimationFrame(() => this.#frame())), rest);
  }

  #frame() {
    this.#waiting = false;
    this.#drawnAt = performance.now();
    this.settle();
    if (!document.hidden) this.draw(this.state);
  }
}
