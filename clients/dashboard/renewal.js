/**
 * Renews the page's token: asks the page around this one, or else the reader, before it runs out and when the hub refuses it. What is on
 * the page stays there meanwhile.
 */

import { tokenCommand } from "./commands.js";
import { Embedder } from "./embedder.js";
import { timeOfDay } from "./format.js";
import { say } from "./language.js";
import { expiryMs, keep } from "./token.js";

/** How long before a token runs out a new one is asked for; less for tokens that live shortly. */
const EARLY_MS = 120_000;
const EARLY_SHARE = 0.25;

/** How long the page around this one may take before the reader is asked. */
const ANSWER_MS = 3000;

/** The longest time that a browser's timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

export class Renewal {
  #timer = 0;
  #waiting = 0;
  /** The newest token that the hub took; null before it let the page in. */
  #used = null;

  /** `connection` is the page's Connection, `origins` promises the origins that may give tokens, `sid` is the only call of the page, or null. */
  constructor({ connection, origins, sid }) {
    this.connection = connection;
    document.getElementById("gate-command").textContent = tokenCommand(sid);
    this.embedder = new Embedder({ origins, given: (token) => this.#given(token) });
    this.gate = document.getElementById("gate");
    this.why = document.getElementById("gate-why");
    this.field = document.getElementById("gate-token");
    document.getElementById("gate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.field.value.trim();
      if (token) this.#given(token);
    });
    document.getElementById("gate-later").addEventListener("click", () => this.#close());
  }

  /** The hub has let the page in. */
  admitted() {
    const { token, skewMs } = this.connection;
    if (token !== this.#used) {
      this.#close();
      this.#used = token;
      keep(token);
      this.embedder.taken();
    }
    clearTimeout(this.#timer);
    const endsMs = token === null ? null : expiryMs(token);
    if (endsMs === null) return;
    const leftMs = endsMs - (Date.now() - skewMs);
    const inMs = leftMs - Math.min(EARLY_MS, leftMs * EARLY_SHARE);
    if (inMs < LONGEST_MS) this.#timer = setTimeout(() => this.#ask("expiring", endsMs), inMs);
  }

  /** The hub wants a token, and the page has none that holds. */
  wanted() {
    keep(null);
    clearTimeout(this.#timer);
    this.#ask(this.connection.token === null ? "missing" : "refused", null);
  }

  /** The hub refused a new token; the page goes on with the one before. */
  refused() {
    this.#ask("refused", expiryMs(this.connection.token));
  }

  #ask(why, endsMs) {
    clearTimeout(this.#waiting);
    this.embedder.ask(why, endsMs);
    if (this.embedder.there) this.#waiting = setTimeout(() => this.#open(why, endsMs), ANSWER_MS);
    else this.#open(why, endsMs);
  }

  /** Ask the reader: on an empty page in the middle of it, else in a bar above what they read, without taking the focus from that. */
  #open(why, endsMs) {
    const bar = this.#used !== null;
    this.gate.hidden = false;
    this.gate.classList.toggle("bar-like", bar);
    document.getElementById("gate-later").hidden = endsMs === null;
    this.why.textContent = reason(why, endsMs, bar);
    this.field.value = "";
    if (!bar) this.field.focus();
  }

  #given(token) {
    this.#close();
    this.connection.authenticate(token);
  }

  #close() {
    clearTimeout(this.#waiting);
    const within = this.gate.contains(document.activeElement);
    this.gate.hidden = true;
    if (within) document.querySelector(".pane .scroll")?.focus({ preventScroll: true });
  }
}

/** Why a token is asked for. `endsMs`: when the one before runs out; null if none holds. `bar`: whether the page shows anything. */
function reason(why, endsMs, bar) {
  if (why === "expiring") return say("token.expires", { time: timeOfDay(endsMs) });
  if (why === "missing") return say("token.why");
  if (endsMs !== null) return say("token.refused", { time: timeOfDay(endsMs) });
  return say(bar ? "token.over" : "token.wrong");
}
