import assert from "node:assert/strict";
import { test } from "node:test";

import { figures, timeline, total } from "../../../clients/dashboard/timeline.js";

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
  assert.equal(total(overlaps), 1.5);
});

const told = (...lines) => figures(lines, timeline(lines));

test("talk is shared by seconds of speech", () => {
  const { share } = told(line("inbound", 0, 3), line("outbound", 3, 4));
  assert.deepEqual(share, { inbound: 0.75, outbound: 0.25 });
  assert.equal(told().share, null);
});

test("a monologue goes on through the other's mhm, and ends with their answer", () => {
  const { monologue } = told(
    line("inbound", 0, 10),
    line("outbound", 9, 9.5, "mhm"),
    line("inbound", 10.5, 20),
    line("outbound", 20.5, 23),
    line("inbound", 24, 25),
  );
  assert.deepEqual(monologue, { track: "inbound", start: 0, seconds: 20 });
});

test("a monologue does not go on through a long silence", () => {
  const { monologue } = told(line("inbound", 0, 3), line("inbound", 30, 34));
  assert.deepEqual(monologue, { track: "inbound", start: 30, seconds: 4 });
});

test("an interruption begins well within the other's words and is more than a word of assent", () => {
  const { interruptions } = told(
    line("inbound", 0, 10),
    line("outbound", 4, 6), // counts
    line("outbound", 7, 7.4, "yes"), // assent
    line("outbound", 9.8, 12), // turn-taking
    line("inbound", 10.5, 13), // counts: the other is still speaking
  );
  assert.deepEqual(interruptions, { inbound: 1, outbound: 1 });
});

test("an agent that fell silent was interrupted, and only once, however little the words overlap", () => {
  const { interruptions } = told({ ...line("outbound", 0, 3), interrupted: true }, line("inbound", 2, 5), line("outbound", 6, 8));
  assert.deepEqual(interruptions, { inbound: 1, outbound: 0 });
});

test("pace is words a minute of one's own speech, and unsaid while there is too little", () => {
  const { pace } = told(line("inbound", 0, 6, Array(15).fill("word").join(" ")), line("outbound", 7, 8));
  assert.deepEqual(pace, { inbound: 150, outbound: null });
});
