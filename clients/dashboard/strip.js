/**
 * The timeline of a call as a picture: both sides' speech over time, gaps, and marks for what happened, growing live. It zooms: with the
 * wheel, with keys and with buttons. A click, an arrow key or a mark goes to a moment. Only what is in view is drawn.
 */

import { clock } from "./format.js";
import { say } from "./language.js";
import { Marks } from "./marks.js";
import { boxes, labels, leftFor, scaleOf } from "./scale.js";
import { element, mark, write } from "./template.js";
import { timeline } from "./timeline.js";

/** A shorter call is drawn as if it had this length, so that the first words do not fill the whole strip. */
const LEAST_SECONDS = 30;

/** Heights in units of the drawing: one lane per side, and a line between them. */
const LANE = { inbound: [4, 15], outbound: [21, 32] };
const HEIGHT = 36;

/** How far an arrow key moves, and how far page up and down move. */
const STEP_SECONDS = 5;
const PAGE_SECONDS = 60;

/** How much closer a key or a button brings a call, and a wheel that turns by one notch (120 pixels). */
const ZOOM = 2;
const NOTCH_PX = 120;

/** Where the right edge of the view may be away from the end, in pixels, to be taken along when the call grows. */
const AT_END_PX = 3;

export class Strip {
  #scale = scaleOf(LEAST_SECONDS, 1);
  /** How many pixels a second has when the reader chose that; null: all of the call is shown. */
  #chosen = null;
  #at = 0;
  #heard = null;
  #span = null;
  #picture = null;
  #drawn = [];
  #live = { seconds: null };
  #frame = 0;

  /** `go(seconds)` shows a moment of the call. */
  constructor(root, go) {
    this.root = root;
    this.go = go;
    this.slider = root.querySelector(".strip");
    this.across = root.querySelector(".across");
    this.svg = root.querySelector("svg");
    this.at = root.querySelector(".at");
    this.axis = root.querySelector(".axis");
    this.marks = new Marks(root.querySelector(".marks"), (seconds) => this.go(seconds));
    this.slider.addEventListener("click", (event) => this.go(this.#under(event)));
    this.slider.addEventListener("pointermove", (event) => this.#hover(this.#under(event)));
    this.slider.addEventListener("pointerleave", () => (this.at.hidden = true));
    this.slider.addEventListener("keydown", (event) => this.#keyed(event));
    this.across.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    this.across.addEventListener("scroll", () => this.#soon(), { passive: true });
    for (const [name, by] of [["closer", ZOOM], ["farther", 1 / ZOOM], ["whole", 0]]) {
      root.querySelector(`.${name}`).addEventListener("click", () => this.zoom(by));
    }
  }

  close() {
    cancelAnimationFrame(this.#frame);
  }

  /** Draw the call so far. `seconds` is its length. */
  draw(call, seconds) {
    const width = Math.max(1, this.across.clientWidth);
    const length = Math.max(LEAST_SECONDS, call.heardSeconds, seconds ?? 0);
    const inputs = [call.lines, call.open, width, Math.round(length), call.live];
    if (inputs.every((input, at) => input === this.#drawn[at])) return;
    this.#drawn = inputs;
    this.#picture = timeline(call.lines, call.open);
    // While the call is live, a cursor marks where the future begins.
    this.#live = { seconds: call.live && seconds !== null && seconds < length ? seconds : null };
    const atEnd = this.across.scrollLeft + this.across.clientWidth >= this.#scale.px - AT_END_PX;
    this.#fit(scaleOf(length, width, this.#chosen), atEnd ? Number.POSITIVE_INFINITY : this.across.scrollLeft);
  }

  /** Bring the call closer by this factor, or farther away if it is less than 1; 0 shows all of it. `placePx`: which place stays. */
  zoom(by, placePx = this.#anchorPx()) {
    const { seconds, width, perSecond } = this.#scale;
    const moment = (this.across.scrollLeft + placePx) / perSecond;
    const next = scaleOf(seconds, width, by === 0 ? null : perSecond * by);
    if (next.perSecond === perSecond) return false;
    this.#chosen = next.zoomed ? next.perSecond : null;
    this.#fit(next, leftFor(next, moment, placePx));
    return true;
  }

  /** Show which part of the call is in view: its first and last second, or null. */
  view(span) {
    const from = span?.[0] ?? 0;
    const known = this.#span !== null && span !== null && span[0] === this.#span[0] && span[1] === this.#span[1];
    if (known || (span === null && this.#span === null)) return;
    if (span !== null && this.#span !== null && this.#heard === null) this.#take(this.#span, span);
    this.#span = span;
    this.#at = from;
    this.#soon();
    if (this.#heard === null) this.#tell(from); // else the slider is at what is heard, not at what is read
  }

  /** Show where the recording stands, in seconds; null if there is none, or if it was not played. */
  play(seconds) {
    if (seconds === this.#heard) return;
    if (seconds !== null) this.#take([this.#heard ?? seconds], [seconds]);
    this.#heard = seconds;
    this.#drawLines();
    if (seconds !== null) this.#tell(seconds);
  }

  /** Name the lanes. */
  name(speakers) {
    for (const track of ["inbound", "outbound"]) write(this.root.querySelector(`.lane-name.${track}`), speakers[track]);
  }

  #tell(seconds) {
    mark(this.slider, "aria-valuenow", Math.round(seconds));
    const who = ["inbound", "outbound"].filter((track) => this.#picture && speaks(this.#picture.speech[track], seconds));
    const names = who.map((track) => this.root.querySelector(`.lane-name.${track}`).textContent).join(", ");
    const at = say("strip.at", { at: clock(seconds), all: clock(this.#scale.seconds) });
    mark(this.slider, "aria-valuetext", names ? `${at} · ${names}` : at);
  }

  /** What moved within the part that is shown stays in it: a moment, or a first and a last one. */
  #take(before, now) {
    const [from, to] = this.#window;
    const shown = (moments) => moments.at(-1) >= from && moments[0] <= to;
    if (this.#scale.zoomed && shown(before) && !shown(now)) {
      this.across.scrollLeft = leftFor(this.#scale, now[0], this.#scale.width / 4);
    }
  }

  #fit(scale, left) {
    this.#scale = scale;
    this.root.querySelector(".stretch").style.width = scale.zoomed ? `${Math.round(scale.px)}px` : "";
    this.svg.style.width = scale.zoomed ? `${scale.width}px` : ""; // it stays where it is, and what it shows changes
    this.across.scrollLeft = Math.min(left, scale.px - scale.width);
    mark(this.root, "data-zoomed", scale.zoomed);
    this.root.style.setProperty("--bar", `${this.across.offsetHeight - this.across.clientHeight}px`);
    mark(this.root.querySelector(".closer"), "aria-disabled", String(scale.closest));
    for (const name of ["farther", "whole"]) mark(this.root.querySelector(`.${name}`), "aria-disabled", String(!scale.zoomed));
    mark(this.slider, "aria-valuemax", Math.round(scale.seconds));
    this.#drawWindow();
  }

  #soon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawWindow();
    });
  }

  get #window() {
    const { perSecond, width, zoomed } = this.#scale;
    const from = zoomed ? this.across.scrollLeft / perSecond : 0;
    return [from, from + width / perSecond];
  }

  #drawWindow() {
    if (this.#picture === null) return;
    const { speech, unsettled, gaps, overlaps } = this.#picture;
    const [from, to] = this.#window;
    mark(this.svg, "viewBox", `0 0 ${this.#scale.width} ${HEIGHT}`);
    for (const track of ["inbound", "outbound"]) {
      this.#path(`.speech.${track}`, speech[track], LANE[track]);
      this.#path(`.unsettled.${track}`, unsettled[track], LANE[track]);
      this.#path(`.gap.${track}`, gaps[track], LANE[track]);
    }
    this.#path(".overlap", overlaps, [LANE.inbound[1] + 1, LANE.outbound[0] - 1]);
    mark(this.svg.querySelector(".lane"), "d", `M0 ${HEIGHT / 2}H${this.#scale.width}`);
    this.#drawLines();
    this.marks.draw(this.#picture.marks, this.#scale, from, to);
    this.#drawAxis(from, to);
  }

  /** The thin lines, and what is in view. */
  #drawLines() {
    const [from] = this.#window;
    const line = (seconds) => (seconds === null ? "" : `M${Math.round((seconds - from) * this.#scale.perSecond)} 0V${HEIGHT}`);
    mark(this.svg.querySelector(".cursor"), "d", line(this.#live.seconds));
    mark(this.svg.querySelector(".playhead"), "d", line(this.#heard));
    this.#path(".view", this.#span ? [[this.#span[0], Math.max(...this.#span)]] : [], [0, HEIGHT], 3);
  }

  #drawAxis(from, to) {
    const { perSecond } = this.#scale;
    const moments = labels(this.#scale, from, to);
    while (this.axis.childElementCount > moments.length) this.axis.lastElementChild.remove();
    for (const [at, seconds] of moments.entries()) {
      const label = this.axis.children[at] ?? this.axis.appendChild(element("span"));
      write(label, clock(seconds));
      label.style.left = `${Math.round(seconds * perSecond)}px`;
    }
  }

  #path(selector, spans, [top, bottom], leastPx = 1) {
    const [from, to] = this.#window;
    const d = boxes(spans, this.#scale, from, to, leastPx).map(([left, width]) => `M${left} ${top}h${width}V${bottom}H${left}Z`);
    mark(this.svg.querySelector(selector), "d", d.join(""));
  }

  #under(event) {
    const { left } = this.slider.getBoundingClientRect();
    return Math.max(0, Math.min(this.#scale.seconds, (event.clientX - left) / this.#scale.perSecond));
  }

  #hover(seconds) {
    this.at.hidden = false;
    write(this.at, clock(seconds));
    this.at.style.left = `${Math.round(seconds * this.#scale.perSecond)}px`;
  }

  /** What stays where it is when the reader zooms without a pointer: the place of the slider, if it is in view. */
  #anchorPx() {
    const { perSecond, width } = this.#scale;
    const px = (this.#heard ?? this.#at) * perSecond - this.across.scrollLeft;
    return px >= 0 && px <= width ? px : width / 2;
  }

  #wheeled(event) {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return; // it scrolls sideways
    const notches = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / NOTCH_PX : Math.sign(event.deltaY);
    const placePx = event.clientX - this.across.getBoundingClientRect().left;
    if (this.zoom(ZOOM ** -Math.max(-2, Math.min(2, notches)), placePx)) event.preventDefault();
  }

  #keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zooms = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM, 0: 0 };
    const steps = { ArrowLeft: -STEP_SECONDS, ArrowRight: STEP_SECONDS, PageUp: PAGE_SECONDS, PageDown: -PAGE_SECONDS };
    const ends = { Home: 0, End: this.#scale.seconds };
    if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key in ends) this.#step(ends[event.key]);
    else if (event.key in steps) this.#step((this.#heard ?? this.#at) + steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(seconds) {
    const before = this.#at;
    this.#at = Math.max(0, Math.min(this.#scale.seconds, seconds));
    this.#take([before], [this.#at]);
    this.go(this.#at);
  }
}

function speaks(spans, seconds) {
  return spans.some(([start, end]) => start <= seconds && seconds < end);
}
