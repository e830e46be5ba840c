/**
 * Holds the state: folds incoming events, at most once per frame, and calls back when there is something to draw.
 */

import { foldAll, nothing } from "./fold.js";

/** Twenty frames per second are smooth for text. More would only drain a laptop's battery. */
const FRAME_MS = 50;

/** A hidden page draws nothing, but folds its queue at this length, so that the queue does not grow without bound. */
const MOST_QUEUED = 2000;

export class Store {
  #queue = [];
  #waiting = false;
  #drawnAt = 0;

  /** `draw` is called in an animation frame after new events were folded. `settled` is called after each fold, also on a hidden page. */
  constructor({ settled, draw }) {
    this.state = nothing();
    this.settled = settled;
    this.draw = draw;
    document.addEventListener("visibilitychange", () => document.hidden || this.soon());
  }

  /** Queue one event. */
  take(event) {
    this.#queue.push(event);
    if (this.#queue.length >= MOST_QUEUED) this.settle();
    this.soon();
  }

  /** Fold the queued events now. */
  settle() {
    if (this.#queue.length === 0) return;
    const events = this.#queue;
    this.#queue = [];
    this.state = foldAll(this.state, events);
    this.settled(this.state);
  }

  /** Request a drawing. */
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
