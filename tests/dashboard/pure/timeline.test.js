import assert from "node:assert/strict";
import { test } from "node:test";

import { timeline } from "../../../clients/dashboard/timeline.js";

const line = (track, start, end, text = "some words here", words = []) => ({ kind: "final", track, start, end, text, words });

test("an utterance without word times is one piece; with them, pauses longer than a breath are silence", () => {
  const words = [
    { start: 1, end: 2 },
    { start: 2.3, end: 3 },
    { start: 6, end: 7 },
  ];
  const { speech, end } = timeline([line("inbound", 1, 7, "a b c", words), line("outbound", 8, 9)]);
  assert.deepEqual(speech.inbound, [
    [1, 3],
    [6, 7],
  ]);
  assert.deepEqual(speech.outbound, [[8, 9]]);
  assert.equal(end, 9);
});

test("open utterances are drawn apart from settled ones, gaps apart from both, and the past not at all", () => {
  const picture = timeline(
    [
      { ...line("inbound", 0, 50), past: true },
      { kind: "gap", track: "inbound", start: 3, end: 5 },
    ],
    { u: { track: "outbound", start: 6, end: 7 } },
  );
  assert.deepEqual(picture.speech, { inbound: [], outbound: [] });
  assert.deepEqual(picture.unsettled.outbound, [[6, 7]]);
  assert.deepEqual(picture.gaps.inbound, [[3, 5]]);
  assert.equal(picture.end, 7);
});

test("an overlap is where both speak", () => {
  const { overlaps } = timeline([line("inbound", 0, 5), line("outbound", 4, 6), line("inbound", 5.5, 8)]);
  assert.deepEqual(overlaps, [
    [4, 5],
    [5.5, 6],
  ]);
});

test("an overlap counts while the words are not settled, and those before it stay", () => {
  const lines = [line("inbound", 0, 5), line("outbound", 4, 6), line("inbound", 20, 25)];
  const open = { u: { track: "outbound", start: 24, end: 27 }, v: { track: "inbound", start: 26, end: 28 } };
  assert.deepEqual(timeline(lines, open).overlaps, [
    [4, 5],
    [24, 25],
    [26, 27],
  ]);
});

test("an interim costs nothing of what ten thousand lines say: that is reckoned once", () => {
  const lines = Array.from({ length: 10_000 }, (_, at) => line(at % 2 ? "inbound" : "outbound", at * 1.44, at * 1.44 + 1.6));
  const before = timeline(lines);
  const after = timeline(lines, { u: { track: "inbound", start: 14_399, end: 14_401 } });
  assert.equal(after.speech, before.speech);
  assert.equal(after.marks, before.marks);
  assert.equal(after.end, 14_401);
});

test("watchwords, tools and trouble are marks at their place; an alert that was wrong is none", () => {
  const happened = (kind, place, more = {}) => ({ kind, place, id: `e:${place}`, ...more });
  const { marks } = timeline([
    happened("tool", 1, { outcome: null }),
    happened("tool", 2, { outcome: "timeout" }),
    happened("watchword", 4),
    happened("watchword", 3),
    happened("watchword-wrong", 5, { alert: "e:4" }),
    happened("lost", 6),
    { ...happened("lost", 0), past: true },
    line("inbound", 7, 8),
  ]);
  assert.deepEqual(
    marks.map(({ kind, place }) => [kind, place]),
    [
      ["tool", 1],
      ["failed", 2],
      ["alert", 3],
      ["trouble", 6],
    ],
  );
});
