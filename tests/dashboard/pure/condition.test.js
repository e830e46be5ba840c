import assert from "node:assert/strict";
import { test } from "node:test";

import { amiss, wordless } from "../../../clients/dashboard/call.js";
import { fold, foldAll } from "../../../clients/dashboard/fold.js";
import { at, COMPLETE, condition, ended, final, gap, interim, listed, started, subscribed, summary, watching } from "./events.js";
import { after, call, texts } from "./folding.js";

const TWO = { epoch: "epoch-two" };
const REFUSED = { ...COMPLETE, state: "not-transcribed", summary: "not transcribed: deepgram refused the key" };

test("a call is amiss exactly while the hub says that something is missing", () => {
  assert.equal(amiss(call(after(started()))), false, "nothing is known yet");
  const state = after(listed(summary()), subscribed(), started(), condition(2, "only one side was heard"));
  assert.equal(amiss(call(state)), true);
  const well = { ...condition(3, "complete"), completeness: COMPLETE };
  assert.equal(amiss(call(fold(state, well))), false);
  assert.equal(amiss(call(fold(fold(state, well), ended(4, { completeness: REFUSED })))), true);
});

test("the list is drawn anew when a call's record gets holes, and not when they only grow", () => {
  const turns = (state, ...events) => foldAll(state, events).turns - state.turns;
  const state = after(listed(summary()), subscribed(), started());
  assert.equal(turns(state, condition(2, "2 % of the audio was lost")), 1);
  assert.equal(turns(fold(state, condition(2, "2 % of the audio was lost")), condition(3, "20 % of the audio was lost")), 0);
});

test("a call that goes on with another transcriber is not called untranscribed any more, and a new log says everything anew", () => {
  const over = after(listed(summary()), subscribed(), started(), ended(2, { completeness: REFUSED }));
  assert.equal(call(fold(over, started(3))).completeness, null);
  const live = after(listed(summary({ completeness: REFUSED })), subscribed(), started());
  assert.equal(call(fold(live, started(2))).completeness, REFUSED, "what becomes known of a live call changes nothing");
  assert.equal(call(fold(live, started(1, TWO))).completeness, null);
});

test("nothing was said only where the record is complete and has no words", () => {
  const silent = summary({ live: false, endedAt: at(9), duration: 8, offset: 2 });
  assert.equal(wordless(call(after(listed(silent)))), true);
  assert.equal(wordless(call(after(listed({ ...silent, utterances: 3 })))), false, "its words only have not come yet");
  assert.equal(wordless(call(after(listed({ ...silent, completeness: REFUSED })))), false);
  assert.equal(wordless(call(after(listed(summary()), subscribed(), started()))), false, "it lives");
  const feed = after(listed(summary({ offset: 40 })), ended(90));
  assert.equal(wordless(call(feed)), false, "words may have come since the list");
  assert.equal(wordless(call(after(listed(summary()), subscribed(), started(), ended(2)))), true, "all of it was followed");
});

test("words that the provider took back are not the newest words", () => {
  const taken = [interim("u9", "noise", 5, 6), final(3, "", 5, 5, "inbound", { utterance: "u9" })];
  assert.equal(call(after(listed(summary()), subscribed(), started(), interim("u9", "noise"), final(2, "", 0, 0, "inbound", { utterance: "u9" }))).latest, null);
  assert.equal(call(after(listed(summary()), subscribed(), started(), final(2, "hello"), ...taken)).latest.text, "hello");
});

const speaking = (...more) =>
  after(listed(summary()), watching("full"), subscribed(), started(), final(2, "hello", 1, 2), interim("u3", "can you", 4, 5), ...more);
const unfinished = (state) => call(state).lines.filter((line) => line.unfinished).map((line) => line.text);

test("words that were not final when the hub was restarted stay on the page, marked, above what comes after", () => {
  const restarted = foldAll(speaking(), [
    listed(summary({ ...TWO, offset: 3 })),
    subscribed(0, { ...TWO, whole: false }),
    started(1, TWO),
    final(2, "after", 9, 10, "inbound", TWO),
  ]);
  assert.deepEqual(texts(restarted), ["started", "hello", "can you", "restarted", "started", "after"]);
  assert.deepEqual([unfinished(restarted), call(restarted).open], [["can you"], {}]);
  assert.equal(call(restarted).lines[2].past, true);
});

const unknown = { type: "error", code: "unknown-call", message: "no", callSid: call(speaking()).sid };

test("they stay where they were said, also without any final before them, and once", () => {
  const only = after(listed(summary()), watching("full"), subscribed(), started(), interim("u1", "good mor", 1, 2));
  const gone = foldAll(only, [listed(), unknown]);
  assert.deepEqual([texts(gone), call(gone).open], [["started", "good mor"], {}]);
  const twice = foldAll(gone, [started(1, TWO), subscribed(0, { ...TWO, whole: false }), started(1, TWO), listed()]);
  assert.deepEqual(unfinished(twice), ["good mor"]);
  const early = fold(speaking(interim("u4", "mhm", 0.5, 0.8, "outbound")), unknown);
  assert.deepEqual(texts(early), ["started", "mhm", "hello", "can you"]);
});

test("they stay as well if the hub no longer knows the call, and if the call ended while the page was away", () => {
  const gone = fold(speaking(), unknown);
  assert.deepEqual([unfinished(gone), call(gone).open], [["can you"], {}]);
  const over = foldAll(speaking(), [listed(summary({ ...TWO, live: false, endedAt: at(9), duration: 9 })), subscribed(0, { ...TWO, whole: false })]);
  assert.deepEqual(unfinished(over), ["can you"]);
});

test("a connection that only broke leaves no word twice: open words come again, or their final does", () => {
  const away = speaking({ type: "socket-closed", atMs: 1, code: 1006, phase: "offline" });
  assert.deepEqual(Object.keys(call(away).open), ["u3"], "they are on the screen while there is no connection");
  const back = foldAll(away, [listed(summary({ offset: 2 })), subscribed(2), interim("u3", "can you help", 4, 6)]);
  assert.deepEqual([call(back).open.u3.text, unfinished(back)], ["can you help", []]);
  const settled = foldAll(away, [listed(summary({ offset: 3 })), subscribed(2), final(3, "Can you help?", 4, 6, "inbound", { utterance: "u3" })]);
  assert.deepEqual([texts(settled), call(settled).open], [["started", "hello", "Can you help?"], {}]);
  const over = foldAll(away, [
    listed(summary({ live: false, endedAt: at(9), duration: 9, offset: 4 })),
    subscribed(2),
    final(3, "Can you?", 4, 5, "inbound", { utterance: "u3" }),
    ended(4),
  ]);
  assert.deepEqual(texts(over), ["started", "hello", "Can you?", "ended"]);
});

test("words that a hub had open when it was killed stay, and are marked once the gap comes that has them", () => {
  const back = foldAll(speaking({ type: "socket-closed", atMs: 1, code: 1006, phase: "offline" }), [listed(summary({ offset: 2 })), subscribed(2)]);
  assert.deepEqual(Object.keys(call(back).open), ["u3"]);
  const others = foldAll(back, [gap(3, 1, 9, { track: "outbound" }), gap(4, 4.5, 9)]);
  assert.deepEqual([Object.keys(call(others).open), unfinished(others)], [["u3"], []], "what was said after it is missing");
  const marked = fold(others, gap(5, 2, 9));
  assert.deepEqual([call(marked).open, unfinished(marked)], [{}, ["can you"]]);
});

test("the list keeps no unfinished words of a call that nobody reads", () => {
  const tail = after(listed(summary()), subscribed(), started(), interim("u1", "can you", 1, 2));
  const again = foldAll(tail, [listed(summary(TWO)), subscribed(0, { ...TWO, whole: false })]);
  assert.deepEqual([call(again).lines, call(again).open], [[], {}]);
});
