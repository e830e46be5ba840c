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
