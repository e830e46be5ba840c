import assert from "node:assert/strict";
import { test } from "node:test";

import { opened } from "../../../clients/dashboard/call.js";
import { foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { due, wanted } from "../../../clients/dashboard/subscriptions.js";
import { at, CALL, EPOCH, ended, final, listed, started, subscribed, summary, watching } from "./events.js";

const OTHER = "CA" + "2".repeat(32);
const after = (...events) => foldAll(nothing(), events);
const asks = (state, panes, visible, asked = new Map()) => due(state, wanted(state, panes, visible), asked);

test("live calls are followed from near their end, so that a thousand lines are not fetched for the last one", () => {
  const state = after(listed(summary({ offset: 1000 })));
  assert.deepEqual(asks(state, [], []), [{ action: "subscribe", callSid: CALL, interims: true, after: { epoch: EPOCH, offset: 970 } }]);
  const young = after(listed(summary({ offset: 3 })));
  assert.deepEqual(asks(young, [], []), [{ action: "subscribe", callSid: CALL, interims: true }]);
});

test("nothing is asked for twice", () => {
  const asked = new Map();
  const state = after(listed(summary()));
  assert.equal(asks(state, [], [CALL], asked).length, 1);
  assert.deepEqual(asks(state, [], [CALL], asked), []);
});

test("an open call is asked for whole, also when its tail was followed before", () => {
  const asked = new Map();
  const tail = after(listed(summary({ offset: 40 })));
  asks(tail, [], [], asked);
  const open = foldAll(tail, [subscribed(10), watching("full")]);
  assert.deepEqual(asks(open, [CALL], [], asked), [
    { action: "unsubscribe", callSid: CALL },
    { action: "subscribe", callSid: CALL, interims: true },
  ]);
  const closed = foldAll(open, [subscribed(0), started(), watching("tail")]);
  assert.deepEqual(asks(closed, [], [], asked), [], "closing it keeps the subscription: it is where a tail would be");
});

test("a call whose tail is the whole is opened and closed without a word to the hub", () => {
  const asked = new Map();
  const tail = after(listed(summary()));
  asks(tail, [], [], asked);
  const open = foldAll(tail, [subscribed(0), started(), watching("full")]);
  assert.deepEqual(asks(open, [CALL], [], asked), []);
  assert.deepEqual(asks(foldAll(open, [watching("tail")]), [], [], asked), []);
});

test("a young call that is opened before the hub has answered is not asked for again: its lines would come, go and come", () => {
  const asked = new Map();
  const tail = after(listed(summary()));
  assert.equal(asks(tail, [], [CALL], asked).length, 1);
  const open = foldAll(tail, [watching("full")]);
  assert.deepEqual(asks(open, [CALL], [], asked), []);
  const closed = foldAll(open, [watching("tail")]);
  assert.deepEqual(asks(closed, [], [CALL], asked), []);
  const old = after(listed(summary({ offset: 40 })));
  const again = new Map();
  asks(old, [], [], again);
  assert.equal(asks(foldAll(old, [watching("full")]), [CALL], [], again).length, 2, "an old one's tail lacks the beginning");
});

test("after a broken connection each call goes on at its own position", () => {
  const state = after(listed(summary()), watching("full"), subscribed(), started(), final(2, "hello"), {
    type: "socket-closed",
    atMs: 1,
    code: 1006,
    phase: "offline",
  });
  assert.deepEqual(asks(state, [CALL], []), [{ action: "subscribe", callSid: CALL, interims: true, after: { epoch: EPOCH, offset: 2 } }]);
});

test("an ended call is asked for only while it is in view and its last words are not known, and then left alone", () => {
  const asked = new Map();
  const state = after(
    listed(summary({ live: false, endedAt: at(9), offset: 3 }), summary({ callSid: OTHER, live: false, endedAt: at(8), offset: 3 })),
  );
  assert.deepEqual(
    asks(state, [], [CALL], asked).map((each) => each.callSid),
    [CALL],
  );
  const told = foldAll(state, [subscribed(), started(), final(2, "bye"), ended(3)]);
  assert.deepEqual(asks(told, [], [CALL], asked), [{ action: "unsubscribe", callSid: CALL }]);
  assert.deepEqual(asks(told, [], [CALL], asked), []);
});

test("a call that the hub does not know is not asked for", () => {
  const state = after(watching("full"), { type: "error", code: "unknown-call", message: "no", callSid: CALL });
  assert.deepEqual(asks(state, [CALL], [CALL]), []);
});

test("a long call is opened by its newest lines, and then asked for whole", () => {
  const asked = new Map();
  const opening = after(listed(summary({ offset: 1000 })), watching("opening"));
  assert.deepEqual(asks(opening, [CALL], [], asked), [
    { action: "subscribe", callSid: CALL, interims: true, after: { epoch: EPOCH, offset: 940 } },
  ]);
  const come = foldAll(opening, [subscribed(999, { newest: 1000 }), final(1000, "the last words")]);
  const call = come.calls.get(CALL);
  assert.deepEqual(call.lines.map(({ text }) => text), ["the last words"]);
  assert.ok(opened(call));
  assert.deepEqual(asks(foldAll(come, [watching("full")]), [CALL], [], asked), [
    { action: "unsubscribe", callSid: CALL },
    { action: "subscribe", callSid: CALL, interims: true },
  ]);
});

test("a short call is opened from its beginning, and is not asked for twice", () => {
  const asked = new Map();
  const opening = after(listed(summary({ offset: 3 })), watching("opening"));
  assert.deepEqual(asks(opening, [CALL], [], asked), [{ action: "subscribe", callSid: CALL, interims: true }]);
  const come = foldAll(opening, [subscribed(0, { newest: 3 }), started(), final(2, "two"), final(3, "three")]);
  assert.ok(opened(come.calls.get(CALL)));
  assert.deepEqual(asks(foldAll(come, [watching("full")]), [CALL], [], asked), []);
});

test("a call of which only its link is known is opened by its newest lines, as soon as the hub says how long it is", () => {
  const asked = new Map();
  const link = after(watching("opening"));
  assert.deepEqual(asks(link, [CALL], [], asked), [{ action: "subscribe", callSid: CALL, interims: true }]);
  const told = foldAll(link, [subscribed(0, { newest: 5000 }), started(), final(2, "hours ago")]);
  assert.deepEqual(told.calls.get(CALL).lines, []);
  assert.deepEqual(asks(told, [CALL], [], asked), [
    { action: "unsubscribe", callSid: CALL },
    { action: "subscribe", callSid: CALL, interims: true, after: { epoch: EPOCH, offset: 4940 } },
  ]);
  assert.deepEqual(asks(foldAll(told, [final(3, "and then")]), [CALL], [], asked), [], "only once, however long the answer takes");
});
