import assert from "node:assert/strict";
import { test } from "node:test";

import { phone } from "../../../clients/dashboard/format.js";
import { sentence } from "../../../clients/dashboard/sentences.js";
import {
  agentTrouble,
  at,
  dtmf,
  ended,
  EPOCH,
  final,
  interrupted,
  steered,
  listed,
  note,
  started,
  subscribed,
  summary,
  toolCalled,
  toolReturned,
  watching,
} from "./events.js";
import { after, call } from "./folding.js";

test("keys pressed one after the other are one entry", () => {
  const state = after(listed(summary()), subscribed(), started(), dtmf(2, "4"), dtmf(3, "2"), dtmf(4, "#", { at: at(60) }));
  assert.deepEqual(
    call(state)
      .lines.slice(1)
      .map((line) => line.digits),
    ["42", "#"],
  );
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

test("keys of the two sides are entries of their own", () => {
  const state = after(listed(summary()), subscribed(), started(), dtmf(2, "4"), dtmf(3, "2", { track: "outbound" }));
  assert.deepEqual(
    call(state).lines.slice(1).map((line) => line.digits),
    ["4", "2"],
  );
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
