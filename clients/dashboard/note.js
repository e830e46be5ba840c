/**
 * A model's note of a call: what it says and what that rests on, as a line of the transcript. Knows how it looks. Its sentences are a
 * stranger's: they are text, whatever is in them.
 */

import { clock } from "./format.js";
import { say } from "./language.js";
import { element } from "./template.js";

/** The parts of a note, and their headings. */
const PARTS = [
  ["summary", null],
  ["nextSteps", "note.next-steps"],
  ["openQuestions", "note.open-questions"],
];

/** The line for a note. `call` has the lines that its sentences rest on, unless they are no longer kept. */
export function noteLine(call, event) {
  const places = new Map(call.lines.map((line) => [line.id, line.place]));
  const grounds = (offsets) => offsets.map((offset) => `${event.epoch}:${offset}`).filter((id) => places.has(id));
  const part = (sentences) =>
    sentences.map(({ text, offsets }) => ({ text, grounds: grounds(offsets).map((id) => ({ id, place: places.get(id) })) }));
  const { model, summary, nextSteps, openQuestions, whole = true } = event;
  return { model, summary: part(summary), nextSteps: part(nextSteps), openQuestions: part(openQuestions), whole };
}

/** A note in one sentence, as it is copied. */
export function noteSentence(line) {
  const text = (key) => line[key].map((sentence) => sentence.text).join(" ");
  const parts = PARTS.filter(([key]) => line[key].length).map(([key, heading]) => (heading ? `${say(heading)}: ${text(key)}` : text(key)));
  if (!line.whole) parts.push(say("note.not-whole"));
  return say("note.sentence", { model: line.model, text: parts.join(" — ") });
}

/** The elements for a note: its sentences, each with links to what it rests on. `moment(seconds)` returns the link to a moment. */
export function noteElements(line, moment) {
  const made = [element("b", "", say("note.by", { model: line.model }))];
  for (const [key, heading] of PARTS) {
    if (!line[key].length) continue;
    if (heading) made.push(element("b", "", say(heading)));
    const list = element("ul", "note-part");
    list.append(...line[key].map((sentence) => sentenceElement(sentence, moment)));
    made.push(list);
  }
  if (!line.whole) made.push(element("small", "", say("note.not-whole")));
  return made;
}

function sentenceElement({ text, grounds }, moment) {
  const made = element("li", "", `${text} `);
  made.dir = "auto";
  for (const { id, place } of grounds) {
    const link = element("a", "ground", clock(place));
    link.href = moment(place);
    link.dataset.line = id;
    link.title = say("note.ground");
    made.append(link, " ");
  }
  return made;
}
