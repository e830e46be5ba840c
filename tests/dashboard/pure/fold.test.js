import assert from "node:assert/strict";
import { test } from "node:test";

import { lasted, speaking } from "../../../clients/dashboard/call.js";
import { MAX_LINES, TAIL_LINES } from "../../../clients/dashboard/call_lines.js";
import { fold, foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import {
  at,
  CALL,
  doubted,
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
import { after, call, texts } from "./folding.js";

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

test("how long a call lasts is the hub's clock while it lives and the media clock after", () => {
  const live = call(after(listed(summary())));
  assert.equal(lasted(live, Date.parse(at(31))), 30);
  assert.equal(lasted(call(after(listed(summary()), ended(2))), Date.parse(at(99))), 60);
});

test("what is not known shows nothing: types, calls, fields", () => {
  const sentiment = { type: "sentiment", callSid: CALL, offset: 3, epoch: EPOCH, at: at(3), mood: "good" };
  const state = after(listed(summary()), watching("full"), subscribed(), started(), final(2, "two"), sentiment, final(4, "four"));
  assert.deepEqual(texts(state), ["started", "two", "four"], "an event of a newer hub counts, so that nothing is taken for missing");
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

test("words that may be wrong are marked where that became known, with whose they are", () => {
  const { lines } = call(after(watching("full"), subscribed(), started(), final(2, "the composer of it", 1, 2), doubted(3)));
  assert.equal(sentence(lines.at(-1)), "What caller said may be written wrong: not English.");
});

test("a stream that Twilio says failed is told, and nothing after it is missing", () => {
  const { lines } = call(after(listed(summary()), watching("full"), subscribed(), started(), streamError(2, "31921"), ended(3)));
  assert.deepEqual(
    lines.map((line) => line.kind),
    ["started", "stream-error", "ended"],
  );
  assert.equal(sentence(lines[1]), "Twilio says that an audio stream of this call failed: 31921.");
});

test("an end closes every utterance, and stands after the last word even if the clock of the media stopped earlier", () => {
  const state = after(
    listed(summary()),
    subscribed(),
    started(),
    final(2, "the last words", 70, 75),
    interim("u9", "unfinished", 75, 76),
    ended(3, { duration: 60 }),
  );
  assert.deepEqual([call(state).open, texts(state)], [{}, ["started", "the last words", "ended"]]);
  assert.equal(call(state).lines.at(-1).place, 76);
});

test("a second stream does not change when the call started, and the first one does", () => {
  const state = after(listed(summary({ startedAt: at(1) })), subscribed(), started(1), started(2));
  assert.equal(call(state).startedAtMs, Date.parse(at(1)));
});

test("another provider's loss, and a first loss after a recovery, are sentences of their own", () => {
  const state = after(listed(summary()), subscribed(), started(), lost(2, 1), { ...lost(3, 1), provider: "deepgram" }, lost(4, 0), lost(5, 0));
  assert.deepEqual(
    call(state).lines.map((line) => [line.kind, line.provider]),
    [
      ["started", "local"],
      ["lost", "local"],
      ["lost", "deepgram"],
      ["lost", "local"],
      ["lost", "local"],
    ],
  );
  const other = fold(state, { ...lost(6, 1), provider: "deepgram" });
  assert.equal(call(other).provider, "local", "a loss does not say who transcribes: only a switch and a recovery do");
});

test("a call that is too long to be kept whole is fetched again when it is opened", () => {
  const many = Array.from({ length: TAIL_LINES * 2 }, (_, index) => final(index + 2, `line ${index}`));
  const tail = after(listed(summary()), subscribed(), started(), ...many);
  assert.equal(call(tail).since, null);
  assert.equal(call(fold(tail, watching("full"))).offset, null);
});

test("a long call keeps its newest lines on screen until all of it has come", () => {
  const tail = after(listed(summary({ offset: 400 })), subscribed(398), final(399, "almost"), final(400, "newest"));
  const opened = foldAll(tail, [watching("full"), subscribed(0, { newest: 400 }), started()]);
  assert.deepEqual([call(opened).replay.to, call(opened).replay.shown.map(({ text }) => text)], [400, ["almost", "newest"]]);
  const many = Array.from({ length: 399 }, (_, index) => final(index + 2, `line ${index}`));
  assert.equal(call(foldAll(opened, many.slice(0, -1))).replay.to, 400);
  assert.equal(call(foldAll(opened, many)).replay, null);
  assert.equal(call(after(watching("full"), subscribed(0, { newest: 20 }))).replay, null, "a short one is there at once");
});
