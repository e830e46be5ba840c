import assert from "node:assert/strict";
import { test } from "node:test";

import { figureRows } from "../../../clients/dashboard/figures.js";
import { choose } from "../../../clients/dashboard/language.js";
import { ended, listed, started, statistics, subscribed, summary } from "./events.js";
import { after, call } from "./folding.js";

const SIDE = {
  talkSeconds: 30,
  talkShare: 0.6,
  words: 75,
  wordsPerMinute: 150.4,
  interruptions: 2,
  longestMonologueSeconds: 12,
  longestMonologueStart: 3.5,
  responses: 4,
  meanResponseSeconds: 0.75,
  longestResponseSeconds: 2,
};
const OTHER = { ...SIDE, talkShare: 0.4, wordsPerMinute: null, interruptions: 0, longestMonologueSeconds: 4, meanResponseSeconds: null };
const FIGURES = {
  start: 0,
  seconds: 60,
  silenceSeconds: 12,
  longestSilenceSeconds: 7,
  longestSilenceStart: 20,
  deadAirs: 1,
  deadAirSeconds: 7,
  crossTalkSeconds: 1.25,
  unknownSeconds: 0,
  sides: { inbound: SIDE, outbound: OTHER },
};
const SPEAKERS = { inbound: "caller", outbound: "agent" };
const shown = (figures) => figureRows(figures, SPEAKERS).map(([name, values]) => [name, ...values.map((each) => each.join(" ").trim())]);

test("the hub's figures are shown as they are, with who is meant", () => {
  assert.deepEqual(shown(FIGURES), [
    ["Talk", "inbound caller 60 %", "outbound agent 40 %"],
    ["Longest monologue", "inbound caller 0:12 at 0:03"],
    ["Interruptions", "inbound caller 2", "outbound agent 0"],
    ["Words a minute", "inbound caller 150", "outbound agent –"],
    ["Answers after", "inbound caller 0.8 s", "outbound agent –"],
    ["Silence", "20 %"],
    ["Dead air", "1 time, 0:07"],
    ["Both at once", "1.3 s"],
  ]);
});

test("the rows are always the same, so that nothing moves when the first figures come", () => {
  const rows = shown(FIGURES).map(([name]) => name);
  for (const none of [null, { ...FIGURES, sides: { inbound: { ...SIDE, talkShare: null }, outbound: OTHER } }]) {
    assert.deepEqual(shown(none).map(([name]) => name), rows);
    assert.ok(shown(none).every(([, ...values]) => values.every((each) => each.endsWith("–"))));
  }
  assert.deepEqual(shown({ ...FIGURES, deadAirs: 0, crossTalkSeconds: 0 }).slice(-2), [["Dead air", "0"], ["Both at once", "0.0 s"]]);
});

test("interruptions of an agent are counted where an agent answers", () => {
  assert.deepEqual(figureRows(FIGURES, SPEAKERS, 2).at(-1), ["Agent interrupted", [["outbound", "", "2"]]]);
});

test("the names of the figures are in the reader's language", () => {
  choose(["de"]);
  try {
    assert.deepEqual(shown({ ...FIGURES, deadAirs: 2 }).slice(-2), [["Lange Stille", "2-mal, 0:07"], ["Beide zugleich", "1.3 s"]]);
  } finally {
    choose([]);
  }
});

test("a call's statistics are the list's, then the newest that are told, then those at its end", () => {
  const later = { ...FIGURES, seconds: 65 };
  const last = { ...FIGURES, seconds: 70 };
  const live = [started(1), subscribed(0)];
  assert.equal(call(after(...live)).statistics, null);
  assert.equal(call(after(listed(summary({ statistics: FIGURES })))).statistics, FIGURES);
  assert.equal(call(after(...live, statistics(FIGURES), statistics(later))).statistics, later);
  const over = call(after(...live, started(1), statistics(later), statistics(last, 2), ended(3)));
  assert.deepEqual([over.statistics, over.offset, over.live, over.lines.length], [last, 3, false, 2]);
});

test("the figures at the end come from the list of all calls, too, and old ones do not replace them", () => {
  const told = call(after(listed(summary({ offset: 9 })), statistics(FIGURES, 10), statistics({ ...FIGURES, seconds: 1 }, 8)));
  assert.equal(told.statistics, FIGURES);
});
