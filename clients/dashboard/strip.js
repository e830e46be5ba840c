/**
 * The timeline of a call as a picture: both sides' speech over time, growing live. A click or an arrow key goes to a moment.
 */

import { clock } from "./format.js";
import { say } from "./language.js";
import { mark, write } from "./template.js";
import { timeline } from "./timeline.js";

/** A shorter call is drawn as if it had this length, so that the first words do not fill the whole strip. */
const LEAST_SECONDS = 30;

/** Heights in units of the drawing: one lane per side, and a line between them. */
const LANE = { inbound: [4, 15], outbound: [21, 32] };
const HEIGHT = 36;

/** How far an arrow key moves, and how far page up and down move. */
const STEP_SECONDS = 5;
const PAGE_SECONDS = 60;

export class Strip {
  #seconds = LEAST_SECONDS;
  #width = 1;
  #at = 0;
  #heard = null;
  #drawn = [];

  /** `go(seconds)` shows a moment of the call. */
  constructor(root, go) {
    this.root = root;
    this.go = go;
    this.svg = root.querySelector("svg");
    this.at = root.querySelector(".at");
    root.addEventListener("click", (event) => this.go(this.#under(event)));
    root.addEventListener("pointermove", (event) => this.#hover(this.#under(event)));
    root.addEventListener("pointerleave", () => (this.at.hidden = true));
    root.addEventListener("keydown", (event) => this.#keyed(event));
  }

  /** Draw the call so far. `seconds` is its length. */
  draw(call, seconds) {
    const width = (this.#width = Math.max(1, this.root.clientWidth));
    const length = Math.max(LEAST_SECONDS, call.heardSeconds, seconds ?? 0);
    const inputs = [call.lines, call.open, width, Math.round(length), call.live];
    if (inputs.every((input, at) => input === this.#drawn[at])) return;
    this.#drawn = inputs;
    this.#seconds = length;
    const picture = timeline(call.lines, call.open);
    mark(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    for (const track of ["inbound", "outbound"]) {
      this.#path(`.speech.${track}`, picture.speech[track], LANE[track]);
      this.#path(`.unsettled.${track}`, picture.unsettled[track], LANE[track]);
    }
    mark(
      this.svg.querySelector(".gap"),
      "d",
      boxes(picture.gaps.inbound, this.#scale, LANE.inbound) + boxes(picture.gaps.outbound, this.#scale, LANE.outbound),
    );
    this.#path(".overlap", picture.overlaps, [LANE.inbound[1] + 1, LANE.outbound[0] - 1]);
    mark(this.svg.querySelector(".lane"), "d", `M0 ${HEIGHT / 2}H${width}`);
    // While the call is live, a cursor marks where the future begins.
    mark(
      this.svg.querySelector(".cursor"),
      "d",
      call.live && seconds !== null && seconds < length ? `M${this.#scale(seconds)} 0V${HEIGHT}` : "",
    );
    mark(this.root, "aria-valuemax", Math.round(length));
  }

  /** Show which part of the call is in view: its first and last second, or null. */
  view(span) {
    const [from, to] = span ?? [0, 0];
    this.#at = from;
    mark(this.svg.querySelector(".view"), "d", span ? boxes([[from, Math.max(to, from)]], this.#scale, [0, HEIGHT], 3) : "");
    if (this.#heard !== null) return; // then the slider is at what is heard, not at what is read
    mark(this.root, "aria-valuenow", Math.round(from));
    mark(this.root, "aria-valuetext", say("strip.at", { at: clock(from), all: clock(this.#seconds) }));
  }

  /** Show where the recording stands, in seconds; null if there is none, or if it was not played. */
  play(seconds) {
    const x = seconds === null ? 0 : this.#scale(seconds);
    mark(this.svg.querySelector(".playhead"), "d", seconds === null ? "" : `M${x} 0V${HEIGHT}`);
    this.#heard = seconds;
    if (seconds === null) return;
    mark(this.root, "aria-valuenow", Math.round(seconds));
    mark(this.root, "aria-valuetext", say("strip.at", { at: clock(seconds), all: clock(this.#seconds) }));
  }

  /** Name the lanes. */
  name(speakers) {
    for (const track of ["inbound", "outbound"]) write(this.root.querySelector(`.lane-name.${track}`), speakers[track]);
  }

  #scale = (seconds) => Math.round((seconds / this.#seconds) * this.#width * 10) / 10;

  #path(selector, spans, lane) {
    mark(this.svg.querySelector(selector), "d", boxes(spans, this.#scale, lane));
  }

  #under(event) {
    const box = this.root.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.#seconds;
  }

  #hover(seconds) {
    this.at.hidden = false;
    write(this.at, clock(seconds));
    this.at.style.left = `${(seconds / this.#seconds) * 100}%`;
  }

  #keyed(event) {
    const steps = { ArrowLeft: -STEP_SECONDS, ArrowRight: STEP_SECONDS, PageUp: PAGE_SECONDS, PageDown: -PAGE_SECONDS };
    const ends = { Home: 0, End: this.#seconds };
    const to = event.key in ends ? ends[event.key] : event.key in steps ? (this.#heard ?? this.#at) + steps[event.key] : null;
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.#at = Math.max(0, Math.min(this.#seconds, to));
    this.go(this.#at);
  }
}

/** Path data with one box per span. No box is too thin to be seen. */
function boxes(spans, scale, [top, bottom], least = 1) {
  return spans
    .map(([start, end]) => {
      const x = scale(start);
      return `M${x} ${top}h${Math.max(least, Math.round((scale(end) - x) * 10) / 10)}V${bottom}H${x}Z`;
    })
    .join("");
}
