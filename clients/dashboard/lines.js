/**
 * Elements for a transcript's lines. Knows how a line looks. Does not know where it is placed.
 */

import { amiss } from "./call.js";
import { clock, wholeTime } from "./format.js";
import { say } from "./language.js";
import { noteElements } from "./note.js";
import { passages, UNSURE_BELOW } from "./search.js";
import { masks, outcome, sentence } from "./sentences.js";
import { clone, element, mark, write } from "./template.js";
import { FAILED } from "./timeline.js";

/**
 * The element for one line of call_lines.js. `moment(seconds)` returns the link to a moment of the call, `beganMs` is when the call began in
 * Unix milliseconds; null if it is not known.
 */
export function lineElement(line, query, moment, beganMs) {
  const spoken = line.kind === "final";
  const made = clone(spoken ? "line" : "happening");
  made.dataset.id = line.id;
  made.classList.add(spoken ? line.track : line.kind);
  made.classList.toggle("past", line.past === true);
  fillMoment(made.querySelector(".moment"), line, moment, beganMs);
  if (spoken) fillSpoken(made, line, query);
  else fillHappening(made, line, moment);
  return made;
}

/** One clock: every line has its call time, and the date and the time of day where the pointer rests on it. */
function fillMoment(time, line, moment, beganMs) {
  time.textContent = clock(line.place);
  const ms = beganMs === null || line.past ? line.atMs : beganMs + line.place * 1000;
  time.dataset.wall = ms === null ? "" : wholeTime(ms);
  time.title = time.dataset.wall;
  if (line.past) return;
  time.href = moment(line.place);
  name(time, "log.moment");
}

/** Say what a click on a line's time does, behind when it was. */
export function name(time, key) {
  mark(time, "title", [time.dataset.wall, say(key)].filter(Boolean).join(" · "));
}

function fillSpoken(made, line, query) {
  made.querySelector(".who").textContent = line.speaker;
  for (const each of ["interrupted", "cut", "unspoken", "unfinished"]) made.classList.toggle(each, line[each] === true);
  const notes = { cut: "log.cut", unfinished: "log.unfinished", unspoken: "log.unspoken" };
  for (const [each, key] of Object.entries(notes)) if (line[each]) made.querySelector(".words").dataset.note = say(key);
  // A provider that gives no confidence per word may give one for the whole line.
  const doubted = line.words.length === 0 && line.confidence !== null && line.confidence < UNSURE_BELOW;
  made.classList.toggle("doubted", doubted);
  if (doubted) made.title = doubt(line.confidence, "line");
  fillWords(made, line, query);
}

function fillHappening(made, line, moment) {
  const words = made.querySelector(".words");
  made.classList.toggle("amiss", amiss(line));
  if (line.kind === "tool") words.append(toolElement(made, line));
  else if (line.kind === "note") words.append(...noteElements(line, moment));
  else if (masks(line)) words.append(opening(sentence(line), [element("p", "keys-pressed", [...line.digits].join(" "))]));
  else words.textContent = sentence(line);
}

/** A tool call as a row that opens: its name and what became of it, and below them its arguments and its result. */
function toolElement(made, line) {
  made.classList.toggle("failed", FAILED.has(line.outcome));
  const facts = element("dl", "tool-facts");
  const fact = (key, value) => value && facts.append(element("dt", "", say(key)), element("dd", "", value));
  fact("tool.arguments", line.arguments === null ? "" : pretty(line.arguments));
  fact("tool.result", line.outcome === null ? "" : pretty(parsed(line.detail)));
  fact("tool.seconds", line.outcome === null ? "" : `${line.seconds.toFixed(1)} s`);
  for (const value of facts.querySelectorAll("dd")) value.dir = "auto";
  const row = opening("", [facts]);
  const head = row.querySelector("summary");
  head.append(element("b", "tool-name", line.tool), ` ${outcome(line)}`);
  if (line.outcome !== null) head.append(` · ${line.seconds.toFixed(1)} s`);
  return row;
}

function opening(head, parts) {
  const details = element("details");
  details.append(element("summary", "", head), ...parts);
  return details;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
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

/**
 * Show a call's utterances that are not final. Each stands where its final will stand: a name that the final will not repeat is left out
 * here as well, so that no word moves when it becomes final.
 */
export function showOpen(root, call) {
  const open = Object.values(call.open).sort((a, b) => a.start - b.start);
  while (root.childElementCount > open.length) root.lastElementChild.remove();
  const last = call.lines.at(-1);
  let before = last?.kind === "final" ? last.track : null;
  for (const [at, each] of open.entries()) {
    const line = root.children[at] ?? root.appendChild(unsettled());
    const className = `line unsettled ${each.track}${each.track === before ? " continued" : ""}`;
    if (line.className !== className) line.className = className;
    write(line.querySelector(".who"), each.speaker);
    write(line.querySelector(".moment"), clock(each.start));
    write(line.querySelector(".words"), each.text);
    before = each.track;
  }
}

function unsettled() {
  const line = clone("line");
  line.removeAttribute("tabindex");
  line.querySelector(".copy").remove();
  return line;
}

function doubt(confidence, what) {
  return say(`log.doubt-${what}`, { percent: Math.round(confidence * 100) });
}
