import assert from "node:assert/strict";
import { test } from "node:test";

import { lasted, speaking } from "../../../clients/dashboard/call.js";
import { MAX_LINES, TAIL_LINES } from "../../../clients/dashboard/call_lines.js";
import { fold, foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { phone } from "../../../clients/dashboard/format.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import {
  agentTrouble,
  at,
  CALL,
  COMPLETE,
  condition,
  doubted,
  dtmf,
  ended,
  EPOCH,
  final,
  gap,
  interim,
  interrupted,
  steered,
  listed,
  lost,
  note,
  restored,
  started,
  streamError,
  subscribed,
  summary,
  toolCalled,
  toolReturned,
  switched,
  watching,
} from "./events.js";
import { after, call, texts } from "./folding.js";

/** Of a call whose last words may be missing. */
const TORN = { ...COMPLETE, state: "incomplete", summary: "incomplete: words may be missing" };

const closed = (atMs, more = {}) => ({ type: "socket-closed", atMs, code: 1006, phase: "offline", retryAtMs: atMs + 10, ...more });

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

test("a call with an agent reads as it was: who answers, what it did, where it was cut short", () => {
  const { lines } = call(
    after(
      watching("full"),
      subscribed(),
      started(1, { agent: "desk", transcriber: { provider: "openai", model: "gpt-realtime-2.1" } }),
      final(2, "It is on", 1, 2, "outbound", { interrupted: true }),
      interrupted(3),
      toolCalled(4),
      toolReturned(5, "refused", "that day is full"),
      agentTrouble(6, "answered without a sound; it is asked once more"),
      ended(7, { reason: "agent-hung-up", duration: 9 }),
    ),
  );
  assert.deepEqual(lines.filter((line) => line.kind !== "final").map(sentence), [
    `Call from ${phone("+14155550123")} to ${phone("+14155550100")} began; the agent desk answers with openai (gpt-realtime-2.1).`,
    "The agent was interrupted: 1.2 of 3.5 s had been heard.",
    "The agent uses book: day 2026-12-01, seats 2. book refused after 0.4 s: that day is full",
    "The agent's model answered without a sound; it is asked once more.",
    "The agent hung up after 0:09. The record: complete.",
  ]);
  assert.equal(lines.find((line) => line.kind === "final").interrupted, true);
});

test("a line knows whether the model stopped in its middle, and whether anyone heard it", () => {
  const { lines } = call(after(watching("full"), subscribed(), started(1), final(2, "It is on", 1, 2, "outbound", { cut: true, unspoken: true })));
  const { interrupted: broken, cut, unspoken } = lines.find((line) => line.kind === "final");
  assert.deepEqual({ broken, cut, unspoken }, { broken: false, cut: true, unspoken: true });
});

test("a stream that Twilio says failed is told, and nothing after it is missing", () => {
  const { lines } = call(after(listed(summary()), watching("full"), subscribed(), started(), streamError(2, "31921"), ended(3)));
  assert.deepEqual(
    lines.map((line) => line.kind),
    ["started", "stream-error", "ended"],
  );
  assert.equal(sentence(lines[1]), "Twilio says that an audio stream of this call failed: 31921.");
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

test("keys of the two sides are entries of their own", () => {
  const state = after(listed(summary()), subscribed(), started(), dtmf(2, "4"), dtmf(3, "2", { track: "outbound" }));
  assert.deepEqual(
    call(state).lines.slice(1).map((line) => line.digits),
    ["4", "2"],
  );
});

test("a call that is too long to be kept whole is fetched again when it is opened", () => {
  const many = Array.from({ length: TAIL_LINES * 2 }, (_, index) => final(index + 2, `line ${index}`));
  const tail = after(listed(summary()), subscribed(), started(), ...many);
  assert.equal(call(tail).since, null);
  assert.equal(call(fold(tail, watching("full"))).offset, null);
});

test("keys that follow each other are one entry, also while people go on talking", () => {
  const state = after(listed(summary()), subscribed(), started(), dtmf(2, "4"), final(3, "one moment", 1, 2, "outbound"), dtmf(4, "2"), dtmf(5, "7"));
  assert.deepEqual(call(state).lines.map((line) => line.digits ?? line.text ?? line.kind), ["started", "427", "one moment"]);
  assert.equal(sentence(call(state).lines[1]), "caller pressed 4 2 7");
});

test("many keys may be somebody's number: their count is told, and they themselves only to who asks", () => {
  const state = after(listed(summary()), subscribed(), started(), ...[..."1234"].map((digit, index) => dtmf(2 + index, digit)));
  assert.equal(sentence(call(state).lines[1]), "caller pressed 4 keys");
});

test("a tool's call and its answer are one line, whatever is said between them", () => {
  const events = [watching("full"), subscribed(), started(), toolCalled(2), final(3, "one moment", 2, 3, "outbound")];
  const asked = call(after(...events)).lines.find(({ kind }) => kind === "tool");
  assert.deepEqual([asked.outcome, asked.arguments.seats], [null, 2]);
  const { lines } = call(after(...events, toolReturned(4, "failed", "HTTP 500")));
  const line = lines.find(({ kind }) => kind === "tool");
  assert.deepEqual([lines.length, line.outcome, line.detail, line.arguments.seats], [3, "failed", "HTTP 500", 2]);
  const late = call(after(watching("full"), subscribed(), started(), toolReturned(2, "result", "ok"))).lines.at(-1);
  assert.deepEqual([late.kind, late.arguments, late.outcome], ["tool", null, "result"], "its call is no longer kept");
});

test("interruptions of the agent are counted", () => {
  const state = after(watching("full"), subscribed(), started(), interrupted(2), interrupted(3));
  assert.equal(call(state).interruptions, 2);
  assert.equal(sentence(call(state).lines.at(-1)), "The agent was interrupted, time 2: 1.2 of 3.5 s had been heard.");
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

test("who answers and the queue are what the parameters say, and a voice agent is no person", () => {
  const told = (more) => call(after(watching("full"), subscribed(), started(1, more)));
  const { person, queue } = told({ parameters: { Agent: "Maya", queue: " billing " } });
  assert.deepEqual([person, queue], ["Maya", "billing"]);
  assert.equal(told({ agent: "sales", parameters: { agent: "sales" } }).person, null);
  assert.equal(call(after(listed(summary({ person: "Ada", queue: "orders" })))).queue, "orders");
});

test("a note stands behind the end, with the moments of what it rests on, and markup in it is text", () => {
  const said = [{ text: "They <b>talked</b>.", offsets: [2, 99] }];
  const steps = { nextSteps: [{ text: "Write.", offsets: [3] }], whole: false };
  const state = after(listed(summary()), subscribed(), started(), final(2, "hello", 6), final(3, "bye", 8), ended(4), note(5, 4, said, steps));
  const line = call(state).lines.at(-1);
  assert.deepEqual([line.kind, call(state).live, call(state).offset], ["note", false, 5]);
  assert.deepEqual(line.summary, [{ text: "They <b>talked</b>.", grounds: [{ id: `${EPOCH}:2`, place: 6 }] }]);
  assert.equal(
    sentence(line),
    "Note by a-model: They <b>talked</b>. — Next steps: Write. — The model was not given all of this long call.",
  );
});

test("a note that comes over the feed first tears no hole into the transcript", () => {
  const said = [{ text: "They talked.", offsets: [2] }];
  const state = after(listed(summary()), subscribed(), started(), final(2, "hello", 6), note(4, 3, said), ended(3), note(4, 3, said));
  assert.deepEqual(
    call(state).lines.map((line) => line.kind),
    ["started", "final", "ended", "note"],
  );
});

test("what somebody who steers the agent wants, and what became of it, are lines at their time", () => {
  const state = after(
    watching("full"),
    subscribed(),
    started(),
    steered(2, "say", "asked", { text: "We close early." }),
    steered(3, "say", "done"),
    steered(4, "say", "done", { reason: "the agent said it in other words" }),
    steered(5, "transfer", "refused", { to: "+19005550199", reason: "calls may not be passed on to that number" }),
    steered(6, "take-over", "asked", { to: "sales" }),
    steered(7, "take-over", "failed", { to: "sales", reason: "Twilio's REST API says 500" }),
    steered(8, "hang-up", "asked"),
    steered(9, "juggle", "asked"),
  );
  assert.deepEqual(
    call(state).lines.slice(1).map(sentence),
    [
      "ada has the agent say: We close early.",
      "Say, as ada wanted: done.",
      "Say, as ada wanted: done, but the agent said it in other words.",
      "ada passes the caller on to +19005550199. It was refused: calls may not be passed on to that number.",
      "ada has the call taken over by sales.",
      "Take over, as ada wanted, failed: Twilio's REST API says 500.",
      "ada hangs up.",
      "",
    ],
  );
});
