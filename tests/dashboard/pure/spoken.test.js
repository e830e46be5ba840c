import assert from "node:assert/strict";
import { test } from "node:test";

import { lineBefore, linesAt, momentOf, pieceAt, pieces, spokenLines } from "../../../clients/dashboard/spoken.js";

let id = 0;
const line = (text, spoken, start, end = start + spoken.length, more = {}) => ({
  id: (id += 1),
  kind: "final",
  track: "inbound",
  text,
  start,
  end,
  words: spoken.map((word, at) => ({ text: word, start: start + at, end: start + at + 0.8 })),
  ...more,
});
const shown = (one) => pieces(one).map(({ from, to, start }) => [one.text.slice(from, to), start]);

test("words stand where they are in the text, without its punctuation", () => {
  const one = line("Hello, is it - is it you?", ["hello", "is", "it", "is", "it", "you"], 10);
  assert.deepEqual(shown(one), [["Hello", 10], ["is", 11], ["it", 12], ["is", 13], ["it", 14], ["you", 15]]);
});

test("what is written otherwise than it was said is one piece, said when its words were", () => {
  const one = line("That makes $42.50, please.", ["that", "makes", "forty", "two", "dollars", "fifty", "please"], 0);
  assert.deepEqual(shown(one), [["That", 0], ["makes", 1], ["$42.50,", 2], ["please", 6]]);
  assert.equal(pieces(one)[2].end, 5.8);
  assert.equal(pieceAt(one, 4.9).from, pieces(one)[2].from);
});

test("a word is not taken for a part of another, nor for one far behind", () => {
  assert.deepEqual(shown(line("An apple a day", ["an", "apple", "a", "day"], 0)), [["An", 0], ["apple", 1], ["a", 2], ["day", 3]]);
  const far = line(`one ${"so ".repeat(30)}two`, ["one", "two"], 0);
  assert.deepEqual(shown(far).map(([text]) => text.slice(0, 6)), ["one", "so so "]);
});

test("scripts without blanks are followed word by word", () => {
  assert.deepEqual(shown(line("你好，世界。", ["你好", "世界"], 3)), [["你好", 3], ["世界", 4]]);
  assert.deepEqual(shown(line("مرحبا بالعالم", ["مرحبا", "بالعالم"], 0)), [["مرحبا", 0], ["بالعالم", 1]]);
});

test("a line without words, or with none of them in its text, is one piece", () => {
  assert.deepEqual(pieces(line("Good morning.", [], 4, 6)), [{ from: 0, to: 13, start: 4, end: 6 }]);
  assert.deepEqual(pieces(line("Good morning.", ["x", "y"], 4, 6)), [{ from: 0, to: 13, start: 4, end: 6 }]);
  assert.deepEqual(pieces(line("", [], 4, 6)), []);
});

test("at a moment the word is heard that began last, and none before the first", () => {
  const one = line("good morning", ["good", "morning"], 5);
  assert.equal(pieceAt(one, 4.9), null);
  assert.equal(pieceAt(one, 5).from, 0);
  assert.equal(pieceAt(one, 5.95).from, 0, "in the pause after it");
  assert.equal(pieceAt(one, 99).from, 5);
});

test("a place in a text is a moment: of its word, of the next one in a gap, and of the line at least", () => {
  const one = line("good, morning", ["good", "morning"], 5);
  assert.deepEqual([0, 3, 5, 6, 13].map((place) => momentOf(one, place)), [5, 5, 6, 6, 6]);
  assert.equal(momentOf(line("", [], 7, 8), 0), 7);
});

test("both sides are heard at once, each by its last line, and nothing in a pause", () => {
  const lines = [
    line("long", [], 0, 10),
    { ...line("over it", [], 4, 6), track: "outbound" },
    line("later", [], 20, 22),
    { kind: "gap", start: 1, end: 2 },
    line("lost log", [], 4, 9, { past: true }),
    line("never said", [], 4, 9, { unspoken: true }),
  ];
  const spoken = spokenLines(lines);
  const at = (seconds) => linesAt(spoken, seconds).map(({ text }) => text);
  assert.deepEqual(at(5), ["long", "over it"]);
  assert.deepEqual(at(8), ["long"]);
  assert.deepEqual(at(15), []);
  assert.deepEqual(at(22.3), ["later"], "a line lingers for a breath");
  assert.deepEqual([lineBefore(spoken, 15)?.text, lineBefore(spoken, -1)], ["over it", null]);
});
