/**
 * Holds the state: folds incoming events, at most once per frame, and calls back when there is something to draw.
 */

import { foldAll, nothing } from "./fold.js";

/** Twenty frames per second are smooth for text. More would only drain a laptop's battery. */
const FRAME_MS = 50;

/** A hidden page draws nothing, but folds its queue at this length, so that the queue does not grow without bound. */
const MOST_QUEUED = 2000;

/** How often a hidden page folds what came. */
const HIDDEN_MS = 1000;

export class Store {
  #queue = [];
  #waiting = false;
  #drawnAt = 0;
  #settledAt = 0;

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
    // Browsers wake a hidden page's timers once a minute, but its messages come: a reader who wants to be told is told within a second.
    const hidden = document.hidden && performance.now() - this.#settledAt > HIDDEN_MS;
    if (hidden || this.#queue.length >= MOST_QUEUED) this.settle();
    this.soon();
  }

  /** Fold the queued events now. */
  settle() {
    if (this.#queue.length === 0) return;
    const events = this.#queue;
    this.#queue = [];
    this.#settledAt = performance.now();
    this.state = foldAll(this.state, events);
    this.settled(this.state);
  }

  /** Request a drawing. */
  soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    const rest = document.hidden ? HIDDEN_MS : Math.max(0, FRAME_MS - (performance.now() - this.#drawnAt));
    setTimeout(() => (document.hidden ? this.#frame() : requestAnimationFrame(() => this.#frame())), rest);
  }

  #frame() {
    this.#waiting = false;
    this.#drawnAt = performance.now();
    this.settle();
    if (!document.hidden) this.draw(this.state);
  }
}
