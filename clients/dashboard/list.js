/**
 * The list of calls. Only the rows in view are in the document, so that thousands of ended calls cost nothing and hundreds of live ones
 * little.
 */

import { amiss } from "./call.js";
import { isolating } from "./foreign.js";
import { counted } from "./format.js";
import { fillRow, madeRow } from "./row.js";
import { latestWith, ordered } from "./search.js";
import { clone, element, mark, write } from "./template.js";

/** Rows drawn above and below the visible ones, so that scrolling shows no holes. */
const SPARE_ROWS = 4;

/** The default address of `transcript-client call`. */
const DEFAULT_DOOR = "ws://127.0.0.1:5000/twilio";

/** How often a filter is applied to new words. */
const FILTER_MS = 500;

export class CallList {
  /** The drawn elements by key (a callSid, or the name of a heading). */
  #drawn = new Map();
  #items = [];
  #calls = 0;
  #orderOf = { turns: -1, query: "", found: null, atMs: 0 };
  #query = "";
  #emptyOf = "";
  #px = null;

  /**
   * `open(sid, beside, at)` shows a call, at a moment of it unless `at` is null; `changed()` requests a drawing; `lookup` asks the hub for
   * the calls that fit the filter; `door` is the hub's address for calls.
   */
  constructor({ open, changed, lookup, door }) {
    this.open = open;
    this.lookup = lookup;
    this.elsewhere = door === DEFAULT_DOOR ? "" : ` --url ${door}`;
    this.changed = changed;
    this.scroller = document.getElementById("rows-scroll");
    this.rows = document.getElementById("rows");
    this.empty = document.getElementById("rows-empty");
    this.filter = document.getElementById("filter");
    this.matches = document.getElementById("matches");
    /** The call from which j and k move; null before the first move. */
    this.current = null;
    this.scroller.addEventListener("scroll", changed, { passive: true });
    new ResizeObserver(() => this.#measure()).observe(this.scroller);
    this.filter.addEventListener("input", () => this.#filtered());
    this.filter.form.addEventListener("submit", (event) => this.#submitted(event));
    this.rows.addEventListener("click", (event) => this.#clicked(event));
    this.rows.addEventListener("focusin", (event) => this.#entered(event));
  }

  /** The callSids of the rows in view. */
  visible() {
    return [...this.#drawn.keys()].filter((key) => !key.startsWith("heading:"));
  }

  /** Draw the rows in view. `panes` are the callSids of open calls, `nowMs` is the hub's clock. */
  draw(state, panes, nowMs) {
    if (!this.#px) this.#measure();
    this.#order(state);
    this.#drawEmpty(state);
    write(this.matches, this.#matched());
    this.#drawRows(state, panes, nowMs);
  }

  /** Sort the calls if one came or went, if the filter changed, or, while there is a filter, every FILTER_MS: it looks at words, too. */
  #order(state) {
    const now = performance.now();
    const { found } = this.lookup;
    const before = this.#orderOf;
    const same = state.turns === before.turns && this.#query === before.query && found === before.found && this.#px === before.px;
    if (same && (!this.#query || now - before.atMs < FILTER_MS)) return;
    this.#orderOf = { turns: state.turns, query: this.#query, found, px: this.#px, atMs: now };
    const { live, ended } = ordered(state.calls.values(), this.#query, found);
    this.#calls = live.length + ended.length;
    this.#items = [];
    let top = 0;
    const add = (item, height) => {
      this.#items.push({ ...item, top, height });
      top += height;
    };
    for (const [name, calls] of [
      ["Live", live],
      ["Ended", ended],
    ]) {
      const short = calls.filter(amiss).length;
      const text = `${name} · ${calls.length}${short ? ` · ${short} incomplete` : ""}`;
      if (calls.length) add({ key: `heading:${name}`, text, isCall: false }, this.#px.heading);
      for (const call of calls) add({ key: call.sid, isCall: true }, amiss(call) ? this.#px.amiss : this.#px.row);
    }
    this.rows.style.height = `${top}px`;
  }

  /** How many calls fit the filter, and whether that is all of them. */
  #matched() {
    if (!this.#query) return "";
    if (this.lookup.pending) return "Searching…";
    const found = `${counted(this.#calls, "call")} found`;
    return this.lookup.problem ? isolating`${found} in what this page has. The hub could not be asked: ${this.lookup.problem}.` : found;
  }

  /** The words by which a call fits the filter; null without a filter, or if it fits by something else. */
  #hit(call) {
    if (!this.#query) return null;
    return this.lookup.found.get(call.sid) ?? latestWith(call, this.#query);
  }

  /** Open the call from which j and k move. Returns whether there is one. */
  openCurrent(beside) {
    if (this.current === null) return false;
    this.open(this.current, beside, this.#moment(this.current));
    return true;
  }

  #moment(sid) {
    return Number(/\/t=(.+)$/.exec(this.#drawn.get(sid)?.querySelector(".open").hash ?? "")?.[1] ?? Number.NaN);
  }

  /** Move the focus by this many calls. */
  move(by) {
    const calls = this.#items.filter((item) => item.isCall);
    if (!calls.length) return;
    const at = calls.findIndex((item) => item.key === this.current);
    const next = calls[at < 0 ? 0 : Math.max(0, Math.min(calls.length - 1, at + by))];
    this.current = next.key;
    const { top, height } = next;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + this.#px.heading) this.scroller.scrollTop = top - this.#px.heading;
    else if (top + height > scrollTop + clientHeight) this.scroller.scrollTop = top + height - clientHeight;
    this.changed(true);
    this.focus();
  }

  /** Focus the current row, or the filter if there is none. */
  focus() {
    const row = this.#drawn.get(this.current);
    (row?.querySelector(".open") ?? this.filter).focus({ preventScroll: true });
  }

  #filtered() {
    this.#query = this.filter.value.trim();
    this.lookup.ask(this.#query);
    this.scroller.scrollTop = 0;
    this.changed(true);
  }

  #submitted(event) {
    event.preventDefault();
    this.current = null;
    this.move(0);
  }

  #clicked(event) {
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.metaKey) return; // the browser opens a new tab
    event.preventDefault();
    this.current = row.dataset.sid;
    this.openCurrent(event.shiftKey || event.target.closest(".beside") !== null);
  }

  #entered(event) {
    const row = event.target.closest(".row");
    if (row) this.current = row.dataset.sid;
  }

  #measure() {
    const style = getComputedStyle(this.rows);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = (name) => parseFloat(style.getPropertyValue(name)) * rem;
    this.#px = { heading: height("--heading-rem"), row: height("--row-rem"), amiss: height("--amiss-row-rem") };
    this.changed();
  }

  #drawRows(state, panes, nowMs) {
    const { scrollTop, clientHeight } = this.scroller;
    const spare = SPARE_ROWS * this.#px.row;
    const wanted = new Map();
    let place = 0;
    for (const item of this.#items) {
      if (item.isCall) place += 1;
      const inView = item.top + item.height >= scrollTop - spare && item.top <= scrollTop + clientHeight + spare;
      if (inView || item.key === this.current) wanted.set(item.key, { item, place });
    }
    for (const [key, row] of this.#drawn) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#drawn.delete(key);
    }
    const focused = this.rows.contains(document.activeElement) ? document.activeElement : null;
    let before = null;
    for (const [key, { item, place: position }] of wanted) {
      let row = this.#drawn.get(key);
      if (!row) this.#drawn.set(key, (row = item.isCall ? madeRow(key) : clone("heading-row")));
      // Kept in the order of the list, because that is the order in which a keyboard and a screen reader meet them.
      const next = before ? before.nextElementSibling : this.rows.firstElementChild;
      if (next !== row) this.rows.insertBefore(row, next);
      before = row;
      const transform = `translateY(${item.top}px)`;
      if (row.style.transform !== transform) row.style.transform = transform;
      if (!item.isCall) {
        write(row.firstElementChild, item.text);
        continue;
      }
      mark(row, "aria-setsize", this.#calls);
      mark(row, "aria-posinset", position);
      const call = state.calls.get(key);
      fillRow(row, call, { open: panes.includes(key), nowMs, query: this.#query, hit: this.#hit(call) });
    }
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true }); // its row was moved
    const tabbable = this.#drawn.get(this.current) ?? this.rows.querySelector(".row");
    for (const open of this.rows.querySelectorAll(".open")) mark(open, "tabindex", open.parentElement === tabbable ? 0 : -1);
  }

  #drawEmpty(state) {
    const none = this.#items.length === 0 && (state.listed || state.refusal !== null) && !(this.#query && this.lookup.pending);
    this.empty.hidden = !none;
    if (!none) return;
    const [heading, sentence, command] = this.#query
      ? ["No call fits", isolating`No call has “${this.#query}” in its numbers, names, callSid or words. Esc clears the filter.`]
      : state.refusal
        ? ["The list is not shown", isolating`The hub says: ${state.refusal.message}.`]
        : [
            "No calls at the moment",
            "When Twilio streams a call to this hub, it appears here by itself. To play a sample call into it:",
            `transcript-client call${this.elsewhere}`,
          ];
    if (this.#emptyOf === heading + sentence) return;
    this.#emptyOf = heading + sentence;
    this.empty.replaceChildren(element("h2", "", heading), element("p", "", sentence), ...(command ? [element("code", "", command)] : []));
  }
}
