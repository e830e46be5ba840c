import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { attended, calm, KINDS, listedAttention, reasonSentence, recordSentence, urgency, why } from "../../../clients/dashboard/attention.js";
import { foldAll } from "../../../clients/dashboard/fold.js";
import { choose } from "../../../clients/dashboard/language.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import { CALL, COMPLETE, condition, ended, listed, lost, started, subscribed, summary, toolReturned, watching } from "./events.js";
import { after, call } from "./folding.js";

/** The same cases as the hub's own. */
const CASES = JSON.parse(readFileSync(new URL("../../transcript/attention_cases.json", import.meta.url)));

for (const { name, events, reasons } of CASES) {
  test(`attention: ${name}`, () => {
    const { reasons: found } = events.reduce(attended, calm());
    assert.deepEqual(found.map((each) => ({ ...each, sentence: reasonSentence(each) })), reasons);
  });
}

test("what a list says is the beginning, and what it knows already is not counted again", () => {
  const reason = { kind: "tool-failed", about: "book", since: "" };
  const state = after(listed(summary({ offset: 9, attention: [reason] })), subscribed(2), toolReturned(4, "result", "ok"));
  assert.deepEqual(call(state).attention.reasons, [reason], "an older event");
  assert.equal(call(foldAll(state, [toolReturned(10, "result", "ok", { tool: "book" })])).attention.reasons.length, 0);
});

test("the list tells of a condition before the call's own events come, and older ones change nothing then", () => {
  const state = after(listed(summary()), subscribed(), started(), condition(9, "only one side was heard", { unheard: "inbound" }), toolReturned(2, "failed", "no"), condition(3, "complete"));
  assert.deepEqual(call(state).attention.reasons.map(({ kind }) => kind), ["one-sided", "tool-failed"]);
});

test("a call that is over is in nobody's way, and the more urgent one is the more urgent", () => {
  const live = after(listed(summary()), subscribed(), started(), lost(2));
  assert.ok(urgency(call(live)) > 0);
  assert.equal(urgency(call(foldAll(live, [ended(3)]))), 0);
  const all = KINDS.map((kind) => urgency({ live: true, attention: listedAttention([{ kind, about: "x" }], 1) }));
  assert.deepEqual(all, [...all].sort((a, b) => b - a));
  assert.ok(urgency({ live: true, attention: listedAttention([{ kind: "of-a-newer-hub", about: "x" }], 1) }) > 0);
});

test("a row says why, and what else is missing, each once", () => {
  const summary_ = "incomplete: 12 s not transcribed; 20 % of the audio was lost; only one side was heard";
  const completeness = { ...COMPLETE, state: "incomplete", summary: summary_, unheard: "outbound" };
  const found = attended(calm(), { type: "condition-changed", offset: 1, at: "", completeness });
  const told = { live: true, attention: found, completeness };
  assert.equal(why(told), "only one side was heard; 20 % of the audio was lost; incomplete: 12 s not transcribed");
  assert.equal(why({ ...told, live: false, attention: calm() }), summary_);
  assert.equal(why({ live: true, attention: calm(), completeness: COMPLETE }), "");
});

test("a call that is over keeps its alerts, and says how many there were and what the newest found", () => {
  const alert = (offset, rule) => ({ type: "alert", callSid: CALL, epoch: "epoch-one", offset, at: "", rule, kind: "phrase", summary: `“${rule}”`, start: 0, end: 1 });
  const withdrawn = (offset, of, reason) => ({ type: "alert-withdrawn", callSid: CALL, epoch: "epoch-one", offset, at: "", alert: of, rule: "", reason, left: 0 });
  const one = after(listed(summary()), subscribed(), started(), alert(2, "refund"));
  assert.equal(why(call(one)), "watchword: refund");
  assert.equal(why(call(foldAll(one, [ended(3)]))), "watchword: refund (“refund”)");
  const many = foldAll(one, [alert(3, "lawyer"), alert(4, "press"), withdrawn(5, 4, "wrong"), withdrawn(6, 3, "over"), alert(3, "lawyer"), ended(7)]);
  assert.equal(why(call(many)), "2 watchwords, the last: lawyer (“lawyer”)", "what was wrong does not count, what is over does, and nothing twice");
  const wrong = foldAll(one, [withdrawn(3, 2, "wrong"), ended(4)]);
  assert.equal(why(call(wrong)), "");
  const past = after(listed(summary({ live: false, offset: 9, alerts: { count: 3, rule: "refund", summary: "“refund”", time: 1 } })));
  assert.equal(why(call(past)), "3 watchwords, the last: refund (“refund”)");
  assert.equal(urgency(call(past)), 0);
});

test("in another language a reader reads it in that language, and what is unknown as it is", () => {
  choose(["de-CH", "en"]);
  try {
    assert.equal(recordSentence({ summary: "20 % of the audio was lost; something new" }), "20 % des Tons gingen verloren; something new");
    assert.equal(reasonSentence({ kind: "watchword", about: "refund" }), "Stichwort: refund");
  } finally {
    choose([]);
  }
});

test("an alert is a line where its words are, and what is taken back says so", () => {
  const at = (type, offset, more) => ({ type, callSid: CALL, epoch: "epoch-one", offset, at: "", rule: "refund", ...more });
  const alert = at("alert", 2, { kind: "phrase", summary: "“refund”", speaker: "caller", start: 0, end: 1 });
  const state = after(listed(summary()), watching("full"), subscribed(), started(), alert, at("alert-withdrawn", 3, { alert: 2, reason: "wrong", left: 0 }));
  assert.deepEqual(call(state).lines.slice(1).map(sentence), [
    "Watchword refund: caller: “refund”",
    "Watchword refund is withdrawn: the final has other words.",
  ]);
});
