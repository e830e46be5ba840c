/**
 * The list of calls. Only the rows in view are in the document, so that thousands of ended calls cost nothing and hundreds of live ones
 * little.
 */

import { lasted, speaking } from "./call.js";
import { isolating } from "./foreign.js";
import { clock, counted, shortSid } from "./format.js";
import { ordered } from "./search.js";
import { title, trouble } from "./sentences.js";
import { clone, element, mark, write } from "./template.js";

/** Rows drawn above and below the visible ones, so that scrolling shows no holes. */
const SPARE_ROWS = 4;

/** About how many characters fit into a row beside a name. */
const SHOWN_CHARACTERS = 34;

/** The default address of `transcript-client call`. */
const DEFAULT_DOOR = "ws://127.0.0.1:5000/twilio";

/** How often a filter is applied to new words. */
const FILTER_MS = 500;

export class CallList {
  /** The drawn elements by key (a callSid, or the name of a heading). */
  #drawn = new Map();
  #items = [];
  #calls = 0;
  #orderOf = { turns: -1, query: "", atMs: 0 };
  #query = "";
  #emptyOf = "";
  #rowPx = 0;
  #headingPx = 0;

  /** `open(sid, beside)` shows a call, `changed()` requests a drawing, `door` is the hub's address for calls. */
  constructor({ open, changed, door }) {
    this.open = open;
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
    this.#order(state);
    this.#drawEmpty(state);
    write(this.matches, this.#query ? `${counted(this.#calls, "call")} found` : "");
    if (!this.#rowPx) this.#measure();
    this.#drawRows(state, panes, nowMs);
  }

  /** Sort the calls if one came or went, if the filter changed, or, while there is a filter, every FILTER_MS: it looks at words, too. */
  #order(state) {
    const now = performance.now();
    const same = state.turns === this.#orderOf.turns && this.#query === this.#orderOf.query;
    if (same && (!this.#query || now - this.#orderOf.atMs < FILTER_MS)) return;
    this.#orderOf = { turns: state.turns, query: this.#query, atMs: now };
    const { live, ended } = ordered(state.calls.values(), this.#query);
    this.#calls = live.length + ended.length;
    this.#items = [];
    for (const [name, calls] of [
      ["Live", live],
      ["Ended", ended],
    ]) {
      if (calls.length) this.#items.push({ key: `heading:${name}`, text: `${name} · ${calls.length}`, isCall: false });
      for (const { sid } of calls) this.#items.push({ key: sid, isCall: true });
    }
  }

  /** Move the focus by this many calls. */
  move(by) {
    const calls = this.#items.filter((item) => item.isCall);
    if (!calls.length) return;
    const at = calls.findIndex((item) => item.key === this.current);
    const next = calls[at < 0 ? 0 : Math.max(0, Math.min(calls.length - 1, at + by))];
    this.current = next.key;
    const top = this.#top(this.#items.indexOf(next));
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + this.#headingPx) this.scroller.scrollTop = top - this.#headingPx;
    else if (top + this.#rowPx > scrollTop + clientHeight) this.scroller.scrollTop = top + this.#rowPx - clientHeight;
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
    this.open(row.dataset.sid, event.shiftKey || event.target.closest(".beside") !== null);
  }

  #entered(event) {
    const row = event.target.closest(".row");
    if (row) this.current = row.dataset.sid;
  }

  #measure() {
    const style = getComputedStyle(this.rows);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#rowPx = parseFloat(style.getPropertyValue("--row-rem")) * rem;
    this.#headingPx = parseFloat(style.getPropertyValue("--heading-rem")) * rem;
    this.changed();
  }

  /** The top of item `at` in pixels. Counted and not stored, as there are at most two headings. */
  #top(at) {
    let headings = 0;
    for (const [index, item] of this.#items.entries()) {
      if (index >= at) break;
      if (!item.isCall) headings += 1;
      else if (headings === 2) break;
    }
    return headings * this.#headingPx + (at - headings) * this.#rowPx;
  }

  #drawRows(state, panes, nowMs) {
    const { scrollTop, clientHeight } = this.scroller;
    const spare = SPARE_ROWS * this.#rowPx;
    const wanted = new Map();
    let top = 0;
    let place = 0;
    for (const item of this.#items) {
      const height = item.isCall ? this.#rowPx : this.#headingPx;
      if (item.isCall) place += 1;
      const inView = top + height >= scrollTop - spare && top <= scrollTop + clientHeight + spare;
      if (inView || item.key === this.current) wanted.set(item.key, { item, top, place });
      top += height;
    }
    this.rows.style.height = `${top}px`;
    for (const [key, row] of this.#drawn) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#drawn.delete(key);
    }
    const focused = this.rows.contains(document.activeElement) ? document.activeElement : null;
    let before = null;
    for (const [key, { item, top: y, place: position }] of wanted) {
      let row = this.#drawn.get(key);
      if (!row) this.#drawn.set(key, (row = this.#made(item)));
      // Kept in the order of the list, because that is the order in which a keyboard and a screen reader meet them.
      const next = before ? before.nextElementSibling : this.rows.firstElementChild;
      if (next !== row) this.rows.insertBefore(row, next);
      before = row;
      const transform = `translateY(${y}px)`;
      if (row.style.transform !== transform) row.style.transform = transform;
      if (!item.isCall) {
        write(row.firstElementChild, item.text);
        continue;
      }
      mark(row, "aria-setsize", this.#calls);
      mark(row, "aria-posinset", position);
      this.#fill(row, state.calls.get(key), panes, nowMs);
    }
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true }); // its row was moved
    const tabbable = this.#drawn.get(this.current) ?? this.rows.querySelector(".row");
    for (const open of this.rows.querySelectorAll(".open")) mark(open, "tabindex", open.parentElement === tabbable ? 0 : -1);
  }

  #made(item) {
    if (!item.isCall) return clone("heading-row");
    const row = clone("call-row");
    row.dataset.sid = item.key;
    row.querySelector(".open").href = `#${item.key}`;
    return row;
  }

  #fill(row, call, panes, nowMs) {
    const [link] = row.children;
    const voices = speaking(call, nowMs);
    const latest = call.latest;
    row.classList.toggle("ended", !call.live);
    row.classList.toggle("troubled", trouble(call) !== "");
    mark(link, "aria-current", panes.includes(call.sid) ? "true" : false);
    mark(link, "data-voices", [...voices].join(" ") || false);
    write(link.querySelector(".title"), title(call, shortSid));
    const seconds = lasted(call, nowMs);
    write(link.querySelector(".lasted"), seconds === null ? "" : clock(seconds));
    const words = link.querySelector(".words");
    mark(words, "data-track", latest?.track ?? false);
    words.classList.toggle("unsettled", latest !== null && !latest.settled && call.live);
    const [state, who, speaks, text] = words.children;
    write(state, trouble(call));
    write(who, latest ? `${latest.speaker}:` : "");
    write(speaks, latest && voices.has(latest.track) ? "is speaking" : "");
    write(text, latest ? newest(latest) : call.live ? "Nobody has spoken yet" : "Nothing was said");
  }

  #drawEmpty(state) {
    const none = this.#items.length === 0 && (state.listed || state.refusal !== null);
    this.empty.hidden = !none;
    if (!none) return;
    const [heading, sentence, command] = this.#query
      ? ["No call fits", isolating`Nothing in the list has “${this.#query}” in its number, names, callSid or recent words. Esc clears the filter.`]
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

/** The words that fit into a row: the beginning of final words, but the end of interim words, because the end is new. */
function newest({ text, settled }) {
  if (settled || text.length <= SHOWN_CHARACTERS) return text.slice(0, 4 * SHOWN_CHARACTERS);
  return `…${text.slice(text.indexOf(" ", text.length - SHOWN_CHARACTERS) + 1)}`;
}
