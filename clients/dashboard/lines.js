/**
 * Elements for a transcript's lines. Knows how a line looks. Does not know where it is placed.
 */

import { amiss } from "./call.js";
import { clock, wallTime } from "./format.js";
import { passages, UNSURE_BELOW } from "./search.js";
import { sentence } from "./sentences.js";
import { clone, element, write } from "./template.js";

/** Lines that nobody spoke and that have a moment of the call. The others have the time of day. */
const TIMED = new Set(["gap", "ended", "tool-called", "tool-returned", "interrupted", "trouble", "recording-paused", "recording-resumed", "recording-failed"]);

/** The element for one line of call.js. `moment(seconds)` returns the link to a moment of the call. */
export function lineElement(line, query, moment) {
  const spoken = line.kind === "final";
  const made = clone(spoken ? "line" : "happening");
  made.dataset.id = line.id;
  made.classList.add(spoken ? line.track : line.kind);
  made.classList.toggle("past", line.past === true);
  const time = made.querySelector(".moment");
  const timed = spoken || TIMED.has(line.kind);
  time.textContent = timed ? clock(line.place) : line.atMs === null ? "" : wallTime(line.atMs);
  if (!line.past) {
    time.href = moment(line.place);
    time.title = "Copy the link to this moment";
  }
  if (!spoken) {
    made.querySelector(".words").textContent = sentence(line);
    made.classList.toggle("amiss", amiss(line));
    return made;
  }
  made.querySelector(".who").textContent = line.speaker;
  for (const mark of ["interrupted", "cut", "unspoken", "unfinished"]) made.classList.toggle(mark, line[mark] === true);
  // A provider that gives no confidence per word may give one for the whole line.
  const doubted = line.words.length === 0 && line.confidence !== null && line.confidence < UNSURE_BELOW;
  made.classList.toggle("doubted", doubted);
  if (doubted) made.title = doubt(line.confidence, "line");
  fillWords(made, line, query);
  return made;
}

/** Write a line's words into its element. Words that match the search, and words with low confidence, stand out. */
export function fillWords(made, line, query) {
  const words = made.querySelector(".words");
  const parts = passages(line.text, line.words, query);
  if (parts.every((part) => !part.found && part.unsure === null)) {
    words.textContent = line.text; // even if the text is the same: marks of an earlier search must go
    return;
  }
  words.replaceChildren(
    ...parts.map(({ text, found, unsure }) => {
      if (!found && unsure === null) return document.createTextNode(text);
      const part = element(found ? "mark" : "span", unsure === null ? "" : "unsure", text);
      if (unsure !== null) part.title = doubt(unsure, "word");
      return part;
    }),
  );
}

/** Show a call's utterances that are not final. */
export function showOpen(root, call) {
  const open = Object.values(call.open).sort((a, b) => a.start - b.start);
  while (root.childElementCount > open.length) root.lastElementChild.remove();
  for (const [at, each] of open.entries()) {
    const line = root.children[at] ?? root.appendChild(unsettled());
    const name = `line unsettled ${each.track}`;
    if (line.className !== name) line.className = name;
    write(line.querySelector(".who"), each.speaker);
    write(line.querySelector(".moment"), clock(each.start));
    write(line.querySelector(".words"), each.text);
  }
}

function unsettled() {
  const line = clone("line");
  line.removeAttribute("tabindex");
  line.querySelector(".copy").remove();
  return line;
}

function doubt(confidence, what) {
  return `The provider is ${Math.round(confidence * 100)} % sure of this ${what}`;
}
