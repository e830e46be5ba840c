import assert from "node:assert/strict";
import { test } from "node:test";

import { lasted, MAX_LINES, speaking, TAIL_LINES } from "../../../clients/dashboard/call.js";
import { fold, foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import {
  at,
  CALL,
  dtmf,
  ended,
  EPOCH,
  final,
  gap,
  interim,
  listed,
  lost,
  restored,
  started,
  streamError,
  subscribed,
  summary,
  switched,
  watching,
} from "./events.js";

const after = (...events) => foldAll(nothing(), events);
const call = (state) => state.calls.get(CALL);
const texts = (state) => call(state).lines.map((line) => line.text ?? line.kind);

function frozen(value) {
  if (value instanceof Map) for (const each of value.values()) frozen(each);
  else if (value && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

test("a call that starts appears, by the feed alone", () => {
  const state = after(listed(), started());
  assert.equal(call(state).from, "+14155550123");
  assert.equal(call(state).live, true);
  assert.equal(call(state).following, false);
  assert.deepEqual(call(state).lines, []);
});

test("words arrive in the order of call time, not of their ends", () => {
  const state = after(listed(summary()), subscribed(), started(), final(2, "yes", 6, 6.5, "outbound"), final(3, "a long story", 2, 9));
  assert.deepEqual(texts(state), ["started", "a long story", "yes"]);
});

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
  const gone = fold(before, listed());
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

test("interims show the newest revision until their final takes their place", () => {
  const said = after(
    listed(summary()),
    subscribed(),
    started(),
    interim("u1", "hel"),
    interim("u1", "hello", 0, 1, "inbound", { revision: 2 }),
  );
  assert.equal(call(said).open.u1.text, "hello");
  assert.equal(call(fold(said, interim("u1", "old"))).open.u1.text, "hello", "an older revision changes nothing");
  assert.equal(call(said).latest.settled, false);
  const settled = fold(said, final(2, "Hello.", 0, 1, "inbound", { utterance: "u1" }));
  assert.deepEqual(call(settled).open, {});
  assert.deepEqual([call(settled).latest.text, call(settled).latest.settled], ["Hello.", true]);
});

test("interims that the provider took back leave no line", () => {
  const state = after(
    listed(summary()),
    subscribed(),
    started(),
    interim("u1", "noise"),
    final(2, "", 0, 0, "inbound", { utterance: "u1" }),
  );
  assert.deepEqual([call(state).open, texts(state)], [{}, ["started"]]);
});

test("who revised an utterance lately speaks; who only left it open does not", () => {
  const state = after(listed(summary()), subscribed(), started(), interim("u1", "hello", 9, 10));
  const now = Date.parse(at(10));
  assert.deepEqual([...speaking(call(state), now + 1000)], ["inbound"]);
  assert.deepEqual([...speaking(call(state), now + 5000)], []);
});

test("ten tries to reconnect are one sentence, and the list says the trouble until it is over", () => {
  const state = after(listed(summary()), subscribed(), started(), ...[2, 3, 4].map((offset) => lost(offset, offset - 1)));
  assert.deepEqual(
    call(state).lines.map((line) => [line.kind, line.attempt]),
    [
      ["started", undefined],
      ["lost", 3],
    ],
  );
  assert.equal(call(state).trouble.attempt, 3);
  assert.equal(call(fold(state, restored(5))).trouble, null);
  const other = fold(state, switched(5));
  assert.deepEqual([call(other).trouble.kind, call(other).provider], ["switched", "deepgram"]);
});

test("keys pressed one after the other are one entry", () => {
  const state = after(listed(summary()), subscribed(), started(), dtmf(2, "4"), dtmf(3, "2"), dtmf(4, "#", { at: at(60) }));
  assert.deepEqual(
    call(state)
      .lines.slice(1)
      .map((line) => line.digits),
    ["42", "#"],
  );
});

test("a gap stands where nothing was heard", () => {
  const state = after(listed(summary()), subscribed(), started(), final(2, "before", 1, 2), final(3, "after", 9, 10), gap(4, 3, 8));
  assert.deepEqual(texts(state), ["started", "before", "gap", "after"]);
});

test("a call only in the list keeps a tail, an open one keeps far more, and neither grows without bound", () => {
  const many = Array.from({ length: 6000 }, (_, index) => final(index + 2, `line ${index}`));
  const tail = after(listed(summary()), subscribed(), started(), ...many);
  assert.ok(call(tail).lines.length <= TAIL_LINES * 1.1);
  assert.ok(call(tail).recent.length <= 16_384);
  const full = after(listed(summary()), watching("full"), subscribed(), started(), ...many);
  assert.ok(call(full).lines.length > 4000 && call(full).lines.length <= MAX_LINES * 1.1);
  assert.equal(call(full).lines.at(-1).text, "line 5999");
  assert.ok(call(fold(full, watching("tail"))).lines.length <= TAIL_LINES);
});

test("opening a call keeps its tail on screen until the whole call comes", () => {
  const tail = after(listed(summary({ offset: 40 })), subscribed(38), final(39, "near the end"), final(40, "the end"));
  const opened = fold(tail, watching("full"));
  assert.equal(call(opened).offset, null);
  assert.deepEqual(texts(opened), ["near the end", "the end"]);
  const between = fold(opened, final(41, "said meanwhile"));
  const whole = foldAll(between, [subscribed(0), started(), final(2, "the beginning")]);
  assert.deepEqual(texts(whole), ["started", "the beginning"]);
});

test("opening a call of which the tail is the whole changes no line and asks for nothing", () => {
  const tail = after(listed(summary()), subscribed(0), started(), final(2, "hello"));
  const opened = fold(tail, watching("full"));
  assert.equal(call(opened).offset, 2);
  assert.equal(call(opened).lines, call(tail).lines);
});

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

test("how long a call lasts is the hub's clock while it lives and the media clock after", () => {
  const live = call(after(listed(summary())));
  assert.equal(lasted(live, Date.parse(at(31))), 30);
  assert.equal(lasted(call(after(listed(summary()), ended(2))), Date.parse(at(99))), 60);
});

test("what is not known is ignored: types, calls, fields", () => {
  const state = after(listed(summary()));
  assert.deepEqual(after(listed(summary()), { type: "sentiment", callSid: CALL, offset: 2, epoch: EPOCH }), state);
  assert.deepEqual(fold(nothing(), final(2, "of a call nobody listed")), nothing());
});

test("no state is ever changed, and folding many at once is folding one by one", () => {
  const events = [
    listed(summary()),
    watching("full"),
    subscribed(),
    started(),
    interim("u1", "he"),
    final(2, "hello", 1, 2),
    dtmf(3, "1"),
    dtmf(4, "2"),
    lost(5),
    lost(6, 2),
    restored(7),
    gap(8, 0, 1),
    switched(9),
    ended(10),
    { type: "tick", nowMs: 0, keepMs: 1 },
    watching("tail"),
  ];
  let one = frozen(nothing());
  for (const event of events) one = frozen(fold(one, event));
  assert.deepEqual(foldAll(nothing(), events), one);
});

test("a stream that Twilio says failed is told, and nothing after it is missing", () => {
  const { lines } = call(after(listed(summary()), watching("full"), subscribed(), started(), streamError(2, "31921"), ended(3)));
  assert.deepEqual(
    lines.map((line) => line.kind),
    ["started", "stream-error", "ended"],
  );
  assert.equal(sentence(lines[1]), "Twilio says that an audio stream of this call failed: 31921.");
});
