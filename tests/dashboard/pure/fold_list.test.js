import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import { at, CALL, COMPLETE, condition, ended, EPOCH, final, interim, listed, lost, started, subscribed, summary, watching } from "./events.js";
import { after, call } from "./folding.js";

/** Of a call whose last words may be missing. */
const TORN = { ...COMPLETE, state: "incomplete", summary: "incomplete: words may be missing" };

const closed = (atMs, more = {}) => ({ type: "socket-closed", atMs, code: 1006, phase: "offline", retryAtMs: atMs + 10, ...more });

test("ended calls stay for their keep time and then go, unless they are being read", () => {
  const kept = after(listed(summary({ live: false, endedAt: at(100) })));
  const tick = (seconds) => ({ type: "tick", nowMs: Date.parse(at(seconds)), keepMs: 60_000 });
  assert.equal(fold(kept, tick(150)).calls.size, 1);
  assert.equal(fold(kept, tick(161)).calls.size, 0);
  assert.equal(foldAll(kept, [watching("full"), tick(161)]).calls.size, 1);
  assert.equal(foldAll(after(listed(summary())), [tick(9999)]).calls.size, 1, "a live one never expires");
});

test("a call that a link asks for and the hub does not know waits for its start", () => {
  const asked = after(watching("full"), { type: "error", code: "unknown-call", message: "no such call", callSid: CALL });
  assert.equal(call(asked).known, false);
  assert.equal(call(fold(asked, started())).known, true);
});

test("a refusal that concerns no call is kept for the list to show", () => {
  const state = after({ type: "error", code: "forbidden", message: "not all calls" });
  assert.equal(state.refusal.code, "forbidden");
  assert.equal(fold(state, listed()).refusal, null);
});

test("the connection is offline since the first loss, however many tries fail", () => {
  const closed = (atMs) => ({ type: "socket-closed", atMs, code: 1006, phase: "offline", retryAtMs: atMs + 10 });
  const state = after({ type: "socket-opened", atMs: 5 }, closed(100), closed(200), closed(300));
  assert.deepEqual([state.link.phase, state.link.sinceMs, state.link.retryAtMs], ["offline", 100, 310]);
  assert.equal(fold(state, { type: "socket-opened", atMs: 400 }).link.phase, "open");
});

test("the condition of a live call is shown at once, from the feed of all calls, and stands in the transcript", () => {
  const state = after(listed(summary()), watching("full"), subscribed(), started(), condition(2, "only one side was heard"));
  assert.equal(call(state).completeness.summary, "only one side was heard");
  assert.equal(sentence(call(state).lines.at(-1)), "The record so far: only one side was heard.");
  const feed = after(listed(summary({ offset: 5 })), condition(9, "20 % of the audio was lost"));
  assert.equal(call(feed).completeness.summary, "20 % of the audio was lost");
  assert.equal(call(fold(feed, condition(7, "complete"))).completeness.summary, "20 % of the audio was lost", "an older one is a repeat");
});

test("a start or an end that the list already includes changes nothing, and a later one does", () => {
  const state = after(listed(summary({ live: false, endedAt: at(50), duration: 40, reason: "failed", completeness: TORN, offset: 9 })));
  assert.deepEqual(
    [call(state).endedAtMs, call(state).duration, call(state).reason, call(state).completeness],
    [Date.parse(at(50)), 40, "failed", TORN],
  );
  assert.equal(call(fold(state, started(5))).live, false, "offset 5 is part of what the list says");
  const back = call(fold(state, started(10)));
  assert.deepEqual(
    [back.live, back.endedAtMs, back.duration, back.reason, back.completeness],
    [true, null, null, null, TORN],
    "nothing of its earlier end is left, but what is missing stays missing",
  );
});

test("the list's facts win where it has them, and what only events told is kept where it has none", () => {
  const told = after(listed(summary()), started(2, { from: "+14155550199", transcriber: { provider: "deepgram", model: "nova-3" } }));
  const none = { from: null, to: null, direction: null, speakers: null, startedAt: null, transcriber: null };
  const kept = call(fold(told, listed(summary({ ...none, offset: 2 }))));
  assert.deepEqual(
    [kept.from, kept.to, kept.direction, kept.speakers, kept.startedAtMs, kept.provider, kept.model],
    ["+14155550199", "+14155550100", "inbound", { inbound: "caller", outbound: "agent" }, Date.parse(at(1)), "deepgram", "nova-3"],
  );
  const speakers = { inbound: "Emily", outbound: "Daniel" };
  const other = summary({ from: "+1", to: "+2", direction: "outbound", speakers, startedAt: at(3), offset: 2 });
  const listedAgain = call(fold(told, listed(other)));
  assert.deepEqual(
    [listedAgain.from, listedAgain.to, listedAgain.direction, listedAgain.speakers, listedAgain.startedAtMs],
    ["+1", "+2", "outbound", speakers, Date.parse(at(3))],
  );
  assert.equal(listedAgain.provider, "deepgram", "the provider of the newest event, not the one that the list began with");
  assert.deepEqual([call(after(listed(summary()))).provider, call(after(listed(summary()))).model], ["local", "tiny-en"]);
  assert.deepEqual(call(after(listed(summary({ offset: 12 })))).head, { epoch: EPOCH, offset: 12 });
});

test("a list says which utterances can still be open, and which calls are known", () => {
  const speaking = after(listed(summary()), subscribed(), started(), interim("u1", "hello"));
  assert.deepEqual(Object.keys(call(fold(speaking, listed(summary()))).open), ["u1"]);
  assert.deepEqual(call(fold(speaking, listed(summary({ live: false, endedAt: at(9) })))).open, {});
  const unknown = after(watching("full"), { type: "error", code: "unknown-call", message: "no such call", callSid: CALL });
  assert.equal(call(fold(unknown, listed(summary()))).known, true);
});

test("a call that the list does not have goes, unless it is open on screen: then its own subscription says whether it is known", () => {
  const tail = after(listed(summary()), subscribed(), started(), interim("u1", "hello"));
  assert.equal(fold(tail, listed()).calls.size, 0);
  const open = foldAll(tail, [watching("full"), listed()]);
  assert.deepEqual([call(open).known, call(open).live], [true, false], "it may be an older one, which no list of recent calls has");
  const gone = call(fold(open, { type: "error", code: "unknown-call", message: "no", callSid: CALL }));
  assert.deepEqual([gone.known, gone.live, gone.open], [false, false, {}]);
});

test("the feed starts only calls that begin, and the page's own link starts one that is not live yet", () => {
  assert.equal(call(after(watching("full"))).live, false);
  assert.equal(after(ended(3)).calls.size, 0);
  assert.equal(after(started()).calls.size, 1);
});

test("a refusal of one call ends that call's subscription if the hub does not know it, and nothing else", () => {
  const state = after(listed(summary()), subscribed(), started(), interim("u1", "hello"));
  const refused = (code, callSid = CALL) => ({ type: "error", code, message: "no", callSid });
  const gone = call(fold(state, refused("unknown-call")));
  assert.deepEqual([gone.known, gone.live, gone.following, gone.open], [false, false, false, {}]);
  assert.equal(call(fold(state, refused("too-many"))).following, true);
  assert.deepEqual(fold(state, refused("unknown-call", "CA-other")), state);
});

test("a subscription that ended, or whose socket closed, is no longer followed, and takes no interims", () => {
  const state = after(listed(summary()), subscribed(), started());
  for (const event of [{ type: "unsubscribed", callSid: CALL }, closed(1)]) {
    const left = fold(state, event);
    assert.equal(call(left).following, false);
    assert.deepEqual(call(fold(left, interim("u1", "late"))).open, {});
  }
});

test("turns count what changes the list's order: a call that comes, goes, starts, ends or becomes known, and nothing else", () => {
  const turns = (state, ...events) => foldAll(state, events).turns - state.turns;
  const state = after(listed(summary()), subscribed());
  assert.equal(turns(nothing(), listed(summary())), 1, "it comes");
  assert.equal(turns(state, started(), final(2, "hello"), interim("u1", "and"), listed(summary({ offset: 2 }))), 0);
  assert.equal(turns(state, listed()), 1, "it goes");
  assert.equal(turns(state, ended(2)), 1, "it ends");
  const ending = fold(state, ended(2));
  assert.equal(turns(ending, listed(summary({ live: false, endedAt: at(9) }))), 1, "it ended at another moment");
  assert.equal(turns(state, listed(summary({ startedAt: at(9) }))), 1, "it started at another moment");
  const link = after(watching("full"), listed());
  assert.equal(turns(link, { ...started(), at: undefined }), 1);
  assert.equal(turns(fold(link, started(1)), watching("tail")), 0, "what is open on screen is not the list's business");
  const unknown = fold(ending, watching("full"));
  assert.equal(turns(unknown, { type: "error", code: "unknown-call", message: "no", callSid: CALL }), 1, "the hub no longer knows it");
  assert.equal(turns(state, listed(summary({ live: false, startedAt: at(1) }))), 1, "it is live no more");
});

test("the connection says since when it is as it is, when it tries again, and why it was closed", () => {
  const state = after({ type: "socket-opened", atMs: 5 }, closed(100, { code: 4408 }));
  assert.deepEqual(state.link, { phase: "offline", sinceMs: 100, retryAtMs: 110, code: 4408, lastMs: 100 });
  assert.equal(fold(state, closed(200)).link.lastMs, 200);
  assert.deepEqual(fold(state, { type: "socket-opened", atMs: 300 }).link, {
    phase: "open",
    sinceMs: 300,
    retryAtMs: null,
    code: null,
    lastMs: 100,
  });
  const refused = fold(state, { type: "socket-closed", atMs: 400, phase: "token" }).link;
  assert.deepEqual([refused.phase, refused.retryAtMs, refused.code], ["token", null, null]);
});

test("the list has come once it came, and not before", () => {
  assert.equal(nothing().listed, false);
  assert.equal(after(watching("full"), { type: "socket-opened", atMs: 1 }).listed, false);
  assert.equal(after(listed()).listed, true);
});

test("a call is dropped exactly when its keep time is over, and never if nobody knows when it ended", () => {
  const tick = (seconds) => ({ type: "tick", nowMs: Date.parse(at(seconds)), keepMs: 60_000 });
  const kept = after(listed(summary({ live: false, endedAt: at(100) })));
  assert.equal(fold(kept, tick(160)).calls.size, 0);
  assert.equal(after(watching("full"), watching("tail"), tick(9999)).calls.size, 1);
});
