/**
 * The orders that the reader has given for agents' calls: sends each until the hub has answered, and says what became of it.
 *
 * Each order has an id of its own, so that one that is sent again after a lost connection is not done again.
 */

import { say } from "./language.js";

/** How long the page waits before it sends an order again whose call the hub cannot reach now. */
const AGAIN_MS = 1000;

export class Orders {
  /** By id: the messages that the hub has not answered. */
  #unanswered = new Map();
  /** The ids of orders of this page of which it is not known what became of them. */
  #open = new Set();

  /** `send(message)` sends to the hub, `say(sentence)` shows a sentence to the reader. */
  constructor({ send, say }) {
    this.send = send;
    this.say = say;
  }

  /** Give an order: a message of `/client` without its id. */
  give(message) {
    const order = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const whole = { ...message, order };
    this.#unanswered.set(order, whole);
    this.#open.add(order);
    this.send(whole);
  }

  /** Send again what was not answered, on a new connection. */
  again() {
    for (const message of this.#unanswered.values()) this.send(message);
  }

  /** Take a message of the hub. */
  said(message) {
    const { type, order, code, state } = message;
    if (!this.#open.has(order)) return;
    if (type === "error" && code === "unavailable") setTimeout(() => this.#unanswered.has(order) && this.send(this.#unanswered.get(order)), AGAIN_MS);
    else if (type === "error") this.#settled(order, say("said.not-steered", { reason: message.message }));
    else if (state === "refused" || state === "failed") this.#settled(order, say("said.not-steered", { reason: message.reason }));
    else if (state === "done") this.#settled(order, say("said.steered"));
    else if (type === "steering") this.#unanswered.delete(order);
  }

  #settled(order, sentence) {
    this.#unanswered.delete(order);
    this.#open.delete(order);
    this.say(sentence);
  }
}
