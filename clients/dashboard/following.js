/**
 * Shows in a transcript which words are heard now, and scrolls along until the reader goes elsewhere. Also tells which word a reader means.
 *
 * Words are lit by the browser's own highlights, which change no element: nothing is laid out anew, and a screen reader is not disturbed.
 * A browser without them shows the line only.
 */

import { name } from "./lines.js";
import { lineBefore, linesAt, momentOf, pieceAt, spokenLines } from "./spoken.js";
import { mark } from "./template.js";

/** The keys by which a reader scrolls. */
const SCROLLS = new Set(["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown"]);

/** The words that are heard now, of all open calls. */
const HEARD = typeof Highlight === "undefined" ? null : new Highlight();
if (HEARD) CSS.highlights.set("heard", HEARD);

export class Following {
  #lines = null;
  #spoken = [];
  #shown = [];
  #lit = new Map();
  #along = true;
  #used = false;

  /** `transcript` is a Transcript, `button` offers to follow again, `from(seconds)` plays from a moment. */
  constructor({ transcript, button, from }) {
    this.transcript = transcript;
    this.button = button;
    this.from = from;
    const { scroll, log } = transcript;
    for (const name of ["wheel", "touchmove"]) scroll.addEventListener(name, () => this.leave(), { passive: true });
    scroll.addEventListener("pointerdown", (event) => event.target === scroll && this.leave()); // its scroll bar
    scroll.addEventListener("keydown", (event) => SCROLLS.has(event.key) && this.leave());
    // Before the transcript's own: where a recording can be played, a line's time plays it, and does not copy its link.
    log.addEventListener("click", (event) => this.#clicked(event), { capture: true });
    log.addEventListener("pointerover", (event) => this.#pointed(event));
    log.addEventListener("keydown", (event) => this.#keyed(event));
    button.addEventListener("click", () => this.join());
  }

  /** Whether the recording can be played: then a click on a word plays from there. */
  set playable(playable) {
    mark(this.transcript.log, "data-playable", playable);
  }

  get playable() {
    return this.transcript.log.hasAttribute("data-playable");
  }

  /** Take the call's lines. */
  take(lines) {
    if (lines === this.#lines) return;
    this.#lines = lines;
    this.#spoken = spokenLines(lines);
  }

  /** Show what is heard at this moment. `playing`: whether it goes on, and the reader wants to be taken along. */
  show(seconds, playing) {
    this.#used = true;
    const lines = linesAt(this.#spoken, seconds);
    this.#mark(lines);
    for (const line of lines) this.#light(line, seconds);
    const at = lines.at(-1) ?? lineBefore(this.#spoken, seconds);
    if (this.#along && playing && at) this.#reveal(at);
    this.button.hidden = this.#along || !playing;
  }

  /** Go on without the sound: the reader looks at something else. */
  leave() {
    if (!this.#used || !this.#along) return;
    this.#along = false;
    this.#at = null;
  }

  /** Go along with the sound again. */
  join() {
    this.#along = true;
    this.#at = null;
    this.button.hidden = true;
  }

  close() {
    this.#mark([]);
  }

  /** The line that was scrolled to last: within one line nothing is scrolled, and a reader may move a little. */
  #at = null;

  #reveal(line) {
    if (line.id === this.#at) return;
    if (this.transcript.reveal(line.id)) this.#at = line.id;
  }

  #mark(lines) {
    for (const line of this.#shown) {
      if (lines.includes(line)) continue;
      this.transcript.element(line.id)?.classList.remove("heard");
      const lit = this.#lit.get(line.id);
      if (lit) HEARD.delete(lit.range); // a line without word times is shown as a whole, and none of its words is lit
      this.#lit.delete(line.id);
    }
    this.#shown = lines;
  }

  #light(line, seconds) {
    const element = this.transcript.element(line.id);
    if (!element) return;
    element.classList.add("heard");
    const piece = line.words.length ? pieceAt(line, seconds) : null;
    const before = this.#lit.get(line.id);
    if (HEARD === null || (before?.piece === piece && before?.range.startContainer.isConnected)) return;
    if (before) HEARD.delete(before.range);
    this.#lit.delete(line.id);
    const range = piece && rangeOf(element.querySelector(".words"), piece);
    if (!range) return;
    HEARD.add(range);
    this.#lit.set(line.id, { piece, range });
  }

  #clicked(event) {
    const line = this.#lineOf(event);
    if (line === null || event.target.closest("button") || event.ctrlKey || event.metaKey) return;
    const words = event.target.closest(".words");
    if (words && !getSelection().isCollapsed) return; // the reader selects words, to copy them
    const place = words ? placeUnder(words, event) : null;
    if (words === null && !event.target.closest(".moment")) return;
    event.preventDefault();
    event.stopPropagation();
    this.join();
    this.from(place === null ? line.start : momentOf(line, place));
  }

  #keyed(event) {
    if (event.key !== "Enter" || event.target.closest("button, a")) return;
    const line = this.#lineOf(event);
    if (line === null) return;
    event.preventDefault();
    this.join();
    this.from(line.start);
  }

  #pointed(event) {
    const moment = event.target.closest("a.moment[href]");
    if (moment) name(moment, this.#lineOf(event) ? "log.play-here" : "log.moment");
  }

  /** The spoken line that an event is about; null if there is none, or if nothing can be played. */
  #lineOf(event) {
    const element = this.playable ? event.target.closest("[data-id]") : null;
    const line = element ? this.transcript.lineOf(element) : null;
    return line?.kind === "final" && !line.past && !line.unspoken ? line : null;
  }
}

/** The range of a piece of a text that may lie in several elements, as marks are. */
function rangeOf(root, { from, to }) {
  const range = document.createRange();
  let begun = false;
  let before = 0;
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { length } = texts.currentNode;
    if (!begun && from < before + length) {
      range.setStart(texts.currentNode, from - before);
      begun = true;
    }
    if (begun && to <= before + length) {
      range.setEnd(texts.currentNode, to - before);
      return range;
    }
    before += length;
  }
  return null;
}

/** The place in a text that a pointer is at, in characters; null if the browser cannot tell. */
function placeUnder(root, { clientX, clientY }) {
  const at = document.caretPositionFromPoint
    ? document.caretPositionFromPoint(clientX, clientY)
    : document.caretRangeFromPoint?.(clientX, clientY);
  const node = at?.offsetNode ?? at?.startContainer;
  if (!node || !root.contains(node)) return null;
  let before = at.offset ?? at.startOffset;
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode() && texts.currentNode !== node) before += texts.currentNode.length;
  return before;
}

