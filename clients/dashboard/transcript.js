/**
 * One call's lines in the document: keeps them up to date, follows the end while the reader is there, finds words and copies lines.
 */

import { firstBelow, neighbour, place, remove } from "./chunks.js";
import { say } from "./language.js";
import { fillWords, lineElement, showOpen } from "./lines.js";
import { found } from "./search.js";
import { copied, waiting } from "./sentences.js";
import { mark, write } from "./template.js";

/** How many lines are added in one frame: a long transcript must not block the page. */
const LINES_A_FRAME = 120;

/** A reader who is this close to the end, in pixels, follows new lines. */
const AT_TAIL_PX = 48;

/** Once a confirmed subscription has brought no new lines for this long, its replay is over. */
const REPLAY_MS = 800;

/** How long a link's moment is looked for while the replay is running. */
const SEEK_MS = 4000;

/** The part of the view, at its upper and its lower edge, in which a line that is revealed may not stand. */
const REVEAL_EDGE = 0.15;

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Transcript {
  #shown = [];
  #elements = new Map();
  #lines = new WeakMap();
  #opened = new Set();
  #following = true;
  #pinnedPx = 0;
  #unread = 0;
  #query = "";
  #hits = [];
  #hit = -1;
  #seek = null;
  #calm = null;
  #current = null;
  #toEnd = "";
  #beganMs = null;

  /** `copy(text, what)` copies, `moment(seconds)` returns a link, `moved()` is called when another part comes into view. */
  constructor(root, { copy, moment, moved }) {
    this.copy = copy;
    this.moment = moment;
    this.moved = moved;
    this.scroll = root.querySelector(".scroll");
    this.log = root.querySelector(".log");
    this.openLines = root.querySelector(".open-lines");
    this.waiting = root.querySelector(".waiting");
    this.latest = root.querySelector(".latest");
    this.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.scroll.addEventListener("wheel", () => (this.#seek = null), { passive: true });
    this.scroll.addEventListener("keydown", (event) => this.#keyed(event));
    this.log.addEventListener("click", (event) => this.#clicked(event));
    this.log.addEventListener("focusin", (event) => this.#select(event.target.closest("[data-id]")));
    this.latest.addEventListener("click", () => this.toLatest());
    this.size = new ResizeObserver(() => this.#following && this.#pin());
    this.size.observe(this.scroll);
  }

  close() {
    this.size.disconnect();
  }

  /** Bring the document up to date. Returns whether there is more to draw. */
  draw(call, nowMs) {
    this.#beganMs = call.startedAtMs;
    const busy = this.#drawLines(call.replay?.shown ?? call.lines);
    showOpen(this.openLines, call);
    write(this.waiting, waiting(call));
    this.#toEnd = say(call.live ? "log.latest" : "log.end");
    // A screen reader must not read the replay aloud line by line, but it must read the lines that come after it.
    if (busy || !call.following || call.replay !== null) this.#calm = null;
    else this.#calm ??= nowMs;
    mark(this.log, "aria-live", this.#calm !== null && nowMs - this.#calm > REPLAY_MS ? "polite" : "off");
    if (this.#seek) this.#seekOn(call, busy, busy || this.#calm === null || nowMs - this.#calm < REPLAY_MS);
    else if (this.#following) this.#pin();
    this.#drawLatest();
    return busy || this.#seek !== null;
  }

  /** Show a moment of the call as soon as its line has come. */
  goTo(seconds) {
    this.#seek = { seconds, untilMs: performance.now() + SEEK_MS };
    this.#following = false;
  }

  toLatest() {
    this.#following = true;
    this.#seek = null;
    this.#unread = 0;
    this.#pin();
    this.#drawLatest();
    return true;
  }

  /** The element of a line in the document; undefined if it is not there yet. */
  element(id) {
    return this.#elements.get(id);
  }

  /** The line that an element shows. */
  lineOf(element) {
    return this.#lines.get(element);
  }

  /** Scroll to a line, unless it is well in view. Returns whether the line is in the document. */
  reveal(id) {
    const line = this.#elements.get(id);
    if (!line) return false;
    this.#following = false;
    this.#seek = null;
    const [view, box] = [this.scroll.getBoundingClientRect(), line.getBoundingClientRect()];
    const edge = view.height * REVEAL_EDGE;
    if (box.top >= view.top + edge && box.bottom <= view.bottom - edge) return true;
    const near = Math.abs(box.top - view.top) < 2 * view.height && !CALM.matches;
    line.scrollIntoView({ block: "center", behavior: near ? "smooth" : "instant" });
    if (!near) line.scrollIntoView({ block: "center" }); // for the same reason as in #show
    return true;
  }

  /** The first and the last second of call time in view; null if no line is in view. */
  inView() {
    const { top, bottom } = this.scroll.getBoundingClientRect();
    const first = firstBelow(this.log, top);
    if (first === null) return null;
    const after = firstBelow(this.log, bottom);
    const last = after === null ? this.log.lastElementChild.lastElementChild : (neighbour(after, -1) ?? after);
    const [from, to] = [this.#lines.get(first), this.#lines.get(last)];
    return [from.place, Math.max(from.place, to.end ?? to.place)];
  }

  /** Mark the words that match. Returns how many lines match. */
  find(query, lines) {
    const before = new Set(found(this.#shown, this.#query));
    this.#query = query;
    this.#hits = found(lines, query);
    this.#hit = -1;
    const now = new Set(this.#hits);
    for (const line of this.#shown) {
      if (before.has(line.id) || now.has(line.id)) fillWords(this.#elements.get(line.id), line, query);
    }
    return this.#hits.length;
  }

  /** Go to the next match (`by` 1) or the one before (-1). Returns its number from 1, or 0 if nothing matches. */
  step(by, lines) {
    this.#hits = found(lines, this.#query);
    if (!this.#hits.length) return 0;
    const from = this.#hit < 0 && by < 0 ? 0 : this.#hit;
    this.#hit = (from + by + this.#hits.length) % this.#hits.length;
    this.#show(this.#hits[this.#hit]);
    return this.#hit + 1;
  }

  get matches() {
    return this.#hits.length;
  }

  #drawLines(lines) {
    if (lines === this.#shown) return false;
    let same = 0;
    while (same < this.#shown.length && this.#shown[same] === lines[same]) same += 1;
    let tail = 0;
    const most = Math.min(this.#shown.length, lines.length) - same;
    while (tail < most && this.#shown.at(-1 - tail) === lines.at(-1 - tail)) tail += 1;
    const gone = this.#shown.slice(same, this.#shown.length - tail);
    const come = lines.slice(same, lines.length - tail);
    const now = come.slice(-LINES_A_FRAME); // the newest first: they are in view, and the older ones come above them
    const after = tail ? this.#elements.get(this.#shown.at(-tail).id) : null;
    for (const line of gone) this.#remove(line);
    for (const line of now) place(this.log, this.#made(line), after);
    if (!this.#following && this.#calm !== null && !tail) this.#unread += now.filter((line) => line.kind === "final").length;
    const complete = now.length === come.length;
    this.#shown = complete ? lines : [...this.#shown.slice(0, same), ...now, ...(tail ? this.#shown.slice(-tail) : [])];
    return !complete;
  }

  #remove(line) {
    const gone = this.#elements.get(line.id);
    if (gone.querySelector("details[open]")) this.#opened.add(line.id); // it comes again with its answer
    if (gone === this.#current) this.#current = null;
    remove(gone);
    this.#elements.delete(line.id);
  }

  #made(line) {
    const made = lineElement(line, this.#query, this.moment, this.#beganMs);
    if (this.#opened.delete(line.id)) made.querySelector("details")?.setAttribute("open", "");
    this.#elements.set(line.id, made);
    this.#lines.set(made, line);
    return made;
  }

  #drawLatest() {
    this.latest.hidden = this.#following || (this.#seek !== null && !this.#shown.length);
    write(this.latest, this.#unread ? `${this.#toEnd} · ${say("log.new-lines", { n: this.#unread })}` : this.#toEnd);
  }

  #pin() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.#pinnedPx = this.scroll.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    if (scrollHeight - scrollTop - clientHeight < AT_TAIL_PX) {
      this.#following = this.#seek === null;
      if (this.#following) this.#unread = 0;
    } else if (scrollTop < this.#pinnedPx - 1) this.#following = false; // the reader scrolled up; a line that only grew would not do this
    this.#drawLatest();
    this.moved();
  }

  #seekOn(call, busy, replaying) {
    const { seconds, untilMs } = this.#seek;
    const at = this.#shown.findLastIndex((line) => !line.past && line.kind !== "restarted" && line.place <= seconds + 0.05);
    const passed = this.#shown.some((line) => !line.past && line.place > seconds);
    const tail = call.offset === null || call.depth === "opening"; // the end of the call is shown until all of it comes; the moment may be before that
    if ((busy || call.replay !== null || tail || (!passed && replaying)) && performance.now() < untilMs) return;
    this.#seek = null;
    if (at >= 0) this.#show(this.#shown[at].id);
  }

  #show(id) {
    const line = this.#elements.get(id);
    if (!line) return;
    this.#following = false;
    // Twice: the browser only guesses the height of lines that were never in view. The first jump makes it measure them.
    line.scrollIntoView({ block: "center" });
    line.scrollIntoView({ block: "center" });
    this.log.querySelector(".shown")?.classList.remove("shown");
    line.classList.add("shown");
    this.#select(line);
    this.moved();
  }

  #select(line) {
    if (!line || line === this.#current) return;
    this.#current?.setAttribute("tabindex", "-1");
    this.#current = line;
    line.setAttribute("tabindex", "0");
  }

  /** Move from line to line, and copy, with the keyboard. */
  #keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const line = event.target.closest("[data-id]");
    const moves = { j: 1, k: -1, ArrowDown: line ? 1 : 0, ArrowUp: line ? -1 : 0 };
    if (moves[event.key]) this.#step(moves[event.key]);
    else if (event.key === "End") this.toLatest();
    else if (event.key === "Home") this.#toBeginning();
    else if (event.key === "c" && this.#current) this.#copyLine(this.#current);
    else if (event.key === "y" && this.#current) this.#copyLink(this.#current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #toBeginning() {
    this.#following = false;
    this.scroll.scrollTop = 0;
  }

  #step(by) {
    const from = this.#current?.contains(document.activeElement) ? this.#current : null;
    const next = from ? neighbour(from, by) : firstBelow(this.log, this.scroll.getBoundingClientRect().top);
    if (next === null) return;
    this.#following = false;
    this.#select(next);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  #clicked(event) {
    const line = event.target.closest("[data-id]");
    if (!line) return;
    const ground = event.target.closest("a.ground");
    if (event.target.closest(".copy")) this.#copyLine(line);
    else if (ground && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#show(ground.dataset.line);
    } else if (event.target.closest("a.moment[href]") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#copyLink(line);
    }
  }

  #copyLine(made) {
    this.copy(copied(this.#lines.get(made)), say("log.line-copied"));
  }

  #copyLink(made) {
    const { href } = made.querySelector(".moment");
    if (href) this.copy(href, say("log.link-copied"));
  }
}
