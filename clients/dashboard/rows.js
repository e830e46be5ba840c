/**
 * Rows of a long list of which only those in view are in the document, so that a hundred thousand past calls cost nothing and hundreds of
 * live ones little. Knows where rows are placed, and the focus. Does not know what they say.
 */

import { mark, write } from "./template.js";

/** Rows drawn above and below the visible ones, so that scrolling shows no holes. */
const SPARE_ROWS = 4;

/** No rows: what a block has before it is placed. */
const NOTHING = { items: [], calls: [], height: 0 };

export class Rows {
  /** The drawn elements by key (a callSid, or the name of a heading). */
  #drawn = new Map();
  /** The parts of the list, from the top: the live calls, then those that have ended. */
  #blocks = [NOTHING, NOTHING];

  /** `made(item)` returns a new element for a row or a heading, `changed(now)` requests a drawing. */
  constructor({ scroller, rows, made, changed }) {
    this.scroller = scroller;
    this.rows = rows;
    this.made = made;
    this.changed = changed;
    /** The key of the row from which the keyboard moves; null before the first move. */
    this.current = null;
    /** The heights of rows in pixels, by their kind; null before they are measured. A new object when they change. */
    this.px = null;
    scroller.addEventListener("scroll", () => changed(false), { passive: true });
    rows.addEventListener("focusin", (event) => this.#entered(event));
    new ResizeObserver(() => this.measure()).observe(scroller);
  }

  /** How many calls are in the list. */
  get count() {
    return this.#blocks[0].calls.length + this.#blocks[1].calls.length;
  }

  measure() {
    const style = getComputedStyle(this.rows);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = (name) => parseFloat(style.getPropertyValue(name)) * rem;
    this.px = { heading: height("--heading-rem"), row: height("--row-rem"), amiss: height("--amiss-row-rem") };
    this.changed(false);
  }

  /** Place the rows of one block: items `{key, kind, …}`, of which all but headings are calls. */
  place(block, items) {
    let height = 0;
    const calls = [];
    const placed = items.map((item) => {
      const made = { ...item, top: height, height: this.px[item.kind], place: calls.length };
      height += made.height;
      if (item.kind !== "heading") calls.push(made);
      return made;
    });
    this.#blocks[block] = { items: placed, calls, height };
    this.rows.style.height = `${this.#blocks[0].height + this.#blocks[1].height}px`;
  }

  /** The keys of the calls in view. */
  visible() {
    return [...this.#drawn.keys()].filter((key) => !key.startsWith("heading:"));
  }

  /** The element of a call's row; undefined if it is not drawn. */
  element(key) {
    return this.#drawn.get(key);
  }

  /** Draw the rows in view: `fill(row, item)` brings one up to date. `whole`: whether there are no more calls than those placed. */
  draw(fill, whole) {
    const wanted = this.#inView();
    for (const [key, row] of this.#drawn) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#drawn.delete(key);
    }
    const focused = this.rows.contains(document.activeElement) ? document.activeElement : null;
    let before = null;
    for (const [key, { item, top, place }] of wanted) {
      let row = this.#drawn.get(key);
      if (!row) this.#drawn.set(key, (row = this.made(item)));
      // Kept in the order of the list, because that is the order in which a keyboard and a screen reader meet them.
      const next = before ? before.nextElementSibling : this.rows.firstElementChild;
      if (next !== row) this.rows.insertBefore(row, next);
      before = row;
      const transform = `translateY(${top}px)`;
      if (row.style.transform !== transform) row.style.transform = transform;
      if (item.kind === "heading") {
        write(row.firstElementChild, item.text);
        continue;
      }
      mark(row, "aria-setsize", whole ? this.count : -1); // -1: nobody knows how many (WAI-ARIA 1.2)
      mark(row, "aria-posinset", place);
      fill(row, item);
    }
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true }); // its row was moved
    const tabbable = this.#drawn.get(this.current) ?? this.rows.querySelector(".row");
    for (const open of this.rows.querySelectorAll(".open")) mark(open, "tabindex", open.parentElement === tabbable ? 0 : -1);
  }

  /** Move the focus by this many calls. Returns whether there is one to move to. */
  move(by) {
    const { count } = this;
    if (!count) return false;
    const at = this.#position(this.current);
    const next = this.#call(at < 0 ? 0 : Math.max(0, Math.min(count - 1, at + by)));
    this.current = next.item.key;
    const { top, height } = { top: next.top, height: next.item.height };
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + this.px.heading) this.scroller.scrollTop = top - this.px.heading;
    else if (top + height > scrollTop + clientHeight) this.scroller.scrollTop = top + height - clientHeight;
    this.changed(true);
    return true;
  }

  /** The rows to be drawn, by key, from the top: those in view, some around them, and the one from which the keyboard moves. */
  #inView() {
    const { scrollTop, clientHeight } = this.scroller;
    const spare = SPARE_ROWS * this.px.row;
    const current = this.#position(this.current);
    const wanted = new Map();
    let [above, before] = [0, 0];
    for (const [at, { items, calls, height }] of this.#blocks.entries()) {
      const entry = (item) => ({ item, top: above + item.top, place: before + item.place + 1 });
      const kept = current >= before && current < before + calls.length ? calls[current - before] : null;
      const first = firstBelow(items, scrollTop - spare - above);
      if (kept && kept.top < (items[first]?.top ?? Infinity)) wanted.set(kept.key, entry(kept));
      for (let each = first; each < items.length && above + items[each].top <= scrollTop + clientHeight + spare; each += 1) {
        wanted.set(items[each].key, entry(items[each]));
      }
      if (kept && !wanted.has(kept.key)) wanted.set(kept.key, entry(kept));
      above += this.#blocks[at].height;
      before += calls.length;
    }
    return wanted;
  }

  #call(position) {
    const [live, past] = this.#blocks;
    const inLive = position < live.calls.length;
    const item = inLive ? live.calls[position] : past.calls[position - live.calls.length];
    return { item, top: item.top + (inLive ? 0 : live.height) };
  }

  #position(key) {
    if (key === null) return -1;
    const [live, past] = this.#blocks;
    const at = live.calls.findIndex((item) => item.key === key);
    if (at >= 0) return at;
    const later = past.calls.findIndex((item) => item.key === key);
    return later < 0 ? -1 : live.calls.length + later;
  }

  #entered(event) {
    const row = event.target.closest(".row");
    if (row) this.current = row.dataset.sid;
  }
}

/** The index of the first item whose lower edge is at or below `y`. */
function firstBelow(items, y) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].top + items[middle].height < y) low = middle + 1;
    else high = middle;
  }
  return low;
}
