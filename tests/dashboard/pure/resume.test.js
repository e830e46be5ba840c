import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, foldAll } from "../../../clients/dashboard/fold.js";
import { at, CALL, ended, EPOCH, final, listed, lost, restored, started, subscribed, summary, watching } from "./events.js";
import { after, call, texts } from "./folding.js";

const TWO = { epoch: "epoch-two" };

test("an event told twice, by the feed and by the call's own subscription, is there once", () => {
  const state = after(
    listed(summary()),
    subscribed(),
    started(),
    started(),
    final(2, "hello"),
    lost(3),
    lost(3),
    restored(4),
    ended(5),
    ended(5),
  );
  assert.deepEqual(texts(state), ["started", "hello", "lost", "restored", "ended"]);
});

test("what the feed tells ahead of the call's own subscription changes the list and not the transcript", () => {
  const ahead = after(listed(summary()), subscribed(), started(), ended(4));
  assert.equal(call(ahead).live, false);
  assert.deepEqual(texts(ahead), ["started"]);
  const caughtUp = foldAll(ahead, [final(2, "last"), final(3, "words"), ended(4)]);
  assert.deepEqual(texts(caughtUp), ["started", "last", "words", "ended"]);
});

test("a start that is replayed does not bring an ended call back", () => {
  const state = after(listed(summary({ live: false, endedAt: at(5), duration: 4, offset: 3 })), subscribed(), started(), final(2, "hi"));
  assert.equal(call(state).live, false);
  assert.equal(foldAll(state, [ended(3), started(4)]).calls.get(CALL).live, true, "but a new stream does");
});

test("a resumed subscription goes on where it was, without a lost or a doubled line", () => {
  const before = after(listed(summary()), watching("full"), subscribed(), started(), final(2, "one"));
  const away = fold(before, { type: "socket-closed", atMs: 1, code: 4408, phase: "offline", retryAtMs: 2 });
  assert.equal(call(away).following, false);
  const back = foldAll(away, [{ type: "socket-opened", atMs: 3 }, listed(summary({ offset: 3 })), subscribed(2), final(3, "two")]);
  assert.deepEqual(texts(back), ["started", "one", "two"]);
});

test("whatever way a history is cut by broken connections, each line is there once and in order", () => {
  const history = [started(), ...Array.from({ length: 30 }, (_, index) => final(index + 2, `line ${index}`))];
  for (let cut = 0; cut <= history.length; cut += 1) {
    let state = after(listed(summary()), watching("full"), subscribed(), ...history.slice(0, cut));
    state = fold(state, { type: "socket-closed", atMs: 1, code: 1006, phase: "offline" });
    const offset = call(state).offset;
    state = foldAll(state, [subscribed(offset), ...history.slice(offset)]);
    assert.deepEqual(
      call(state).lines.map((line) => line.id),
      history.map((event) => `${EPOCH}:${event.offset}`),
    );
  }
});

test("a hub that was restarted does not take the reader's lines away, and what follows is told apart", () => {
  const before = after(listed(summary()), watching("full"), subscribed(), started(), final(2, "before"));
  const gone = foldAll(before, [listed(), { type: "error", code: "unknown-call", message: "no", callSid: CALL }]);
  assert.equal(call(gone).known, false);
  const state = foldAll(gone, [
    started(1, { epoch: "two" }),
    subscribed(0, { epoch: "two", whole: false }),
    started(1, { epoch: "two" }),
    final(2, "after", 0, 1, "inbound", { epoch: "two" }),
  ]);
  assert.deepEqual(texts(state), ["started", "before", "restarted", "started", "after"]);
  assert.deepEqual(
    call(state).lines.map((line) => line.past === true),
    [true, true, false, false, false],
  );
  const again = foldAll(state, [
    subscribed(0, { epoch: "two" }),
    started(1, { epoch: "two" }),
    final(2, "after", 0, 1, "inbound", { epoch: "two" }),
  ]);
  assert.deepEqual(texts(again), texts(state), "a replay from the start replaces only what comes again");
});

test("history that the hub no longer keeps is said out loud", () => {
  const late = after(listed(summary({ offset: 900 })), watching("full"), subscribed(800, { whole: false }), final(801, "here"));
  assert.deepEqual(texts(late), ["beginning-lost", "here"]);
  const before = after(listed(summary()), watching("full"), subscribed(), started(), final(2, "one"));
  assert.deepEqual(texts(foldAll(before, [subscribed(8, { whole: false }), final(9, "nine")])), ["started", "one", "missing", "nine"]);
});

test("a hole in a subscription, which the hub promises never to make, is shown and not hidden", () => {
  assert.deepEqual(texts(after(listed(summary()), subscribed(), started(), final(4, "four"))), ["started", "missing", "four"]);
});

test("a new log begins at offset 1 again: trouble of the new log is shown although the old log was further on", () => {
  const before = after(listed(summary()), subscribed(), started(), lost(7));
  assert.equal(call(before).trouble.attempt, 1);
  // The list of the restarted hub is the first to say that the log is new. Offset 7 of the old log must not hide offset 2 of the new one.
  const restarted = fold(before, listed(summary(TWO)));
  assert.equal(call(restarted).trouble, null, "what was wrong before the restart is not known to be wrong now");
  const troubled = fold(restarted, { ...lost(2, 3), ...TWO });
  assert.deepEqual(call(troubled).trouble, { kind: "lost", provider: "local", reason: "it broke", attempt: 3 });
  assert.equal(call(fold(troubled, { ...restored(3), ...TWO })).trouble, null);
});

test("an event of a new log that comes before the list says so starts the count anew, too", () => {
  const before = after(listed(summary()), subscribed(), started(), lost(7), ended(8));
  const again = fold(before, started(1, TWO));
  assert.deepEqual([call(again).live, call(again).trouble], [true, null], "a call that the old log had ended is live in the new one");
  const troubled = fold(again, { ...lost(2), ...TWO });
  assert.equal(call(troubled).trouble.kind, "lost");
  assert.deepEqual(call(troubled).head, { ...TWO, offset: 2 });
});

test("a list of the same log keeps the provider's trouble, and a replay of earlier events does not end it", () => {
  const before = after(listed(summary()), subscribed(), started(), lost(4), restored(5), lost(6, 2));
  const state = foldAll(before, [listed(summary({ offset: 6 })), subscribed(0), started(), lost(4), restored(5)]);
  assert.equal(call(state).trouble.attempt, 2);
});

test("a restart gives a tail the new log's lines only, and the latest words of neither", () => {
  const before = after(listed(summary()), subscribed(), started(), final(2, "before", 5, 6));
  const state = fold(before, subscribed(3, { ...TWO, whole: false }));
  assert.deepEqual([call(state).lines, call(state).latest, call(state).heardSeconds, call(state).since], [[], null, 0, 3]);
  const open = foldAll(before, [
    watching("full"),
    subscribed(0, { ...TWO, whole: false }),
    final(1, "early", 0, 1, "inbound", TWO),
    final(2, "earlier", -1, 0, "inbound", TWO),
  ]);
  assert.deepEqual(texts(open), ["started", "before", "restarted", "earlier", "early"], "no line of the new log goes above the restart");
});

test("events of another log are no part of this transcript", () => {
  const state = after(listed(summary()), subscribed(), started(), final(2, "one"));
  assert.deepEqual(texts(fold(state, final(3, "of another log", 3, 4, "inbound", TWO))), ["started", "one"]);
});

test("a replay from the beginning forgets the words that it brings again", () => {
  const state = after(listed(summary()), subscribed(), started(), final(2, "alpha"), final(3, "beta"));
  assert.equal(call(state).recent.trim(), "alpha beta");
  assert.equal(call(foldAll(state, [subscribed(0), started(), final(2, "alpha")])).recent.trim(), "alpha");
});

test("an open call whose replay does not start at the beginning says so, even if the hub took the position for whole", () => {
  assert.deepEqual(texts(after(listed(summary({ offset: 50 })), watching("full"), subscribed(40))), ["beginning-lost"]);
  assert.deepEqual(texts(after(listed(summary({ offset: 50 })), subscribed(40))), [], "a tail never has the beginning");
});
