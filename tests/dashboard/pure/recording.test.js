import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, foldAll } from "../../../clients/dashboard/fold.js";
import { extension, playable, recordingSentence } from "../../../clients/dashboard/recording.js";
import { sentence, waiting } from "../../../clients/dashboard/sentences.js";
import { hasRight } from "../../../clients/dashboard/token.js";
import { at, CALL, ended, EPOCH, final, listed, started, subscribed, summary, watching } from "./events.js";
import { after, call, texts } from "./folding.js";

const turn = (offset, name, more = {}) => ({ type: `recording-${name}`, callSid: CALL, epoch: EPOCH, offset, at: at(offset), ...more });
const open = (...events) => after(listed(summary()), watching("full"), subscribed(), started(), ...events);

test("a recording is paused, goes on and is stored, and what happened to it stands in the flow", () => {
  const state = open(turn(2, "started"));
  assert.equal(call(state).recording.state, "recording");
  const paused = fold(state, turn(3, "paused"));
  assert.match(recordingSentence(call(paused), true), /paused/);
  const over = foldAll(paused, [turn(4, "resumed"), ended(5), turn(6, "stored", { seconds: 60, mediaType: "audio/flac" })]);
  assert.deepEqual(call(over).recording, { state: "stored", seconds: 60, mediaType: "audio/flac" });
  assert.deepEqual([playable(call(over)), playable(call(paused)), extension(call(over).recording)], [true, false, "flac"]);
  assert.deepEqual(texts(over), ["started", "recording-started", "recording-paused", "recording-resumed", "ended"]);
  assert.equal(call(over).live, false, "what is stored after the end does not bring the call back");
});

test("a recording that is gone, and one that fails, say so", () => {
  const gone = open(turn(2, "started"), ended(3), turn(4, "stored", { seconds: 60 }), turn(5, "erased", { reason: "kept for 30 days" }));
  assert.equal(call(gone).recording, null);
  assert.equal(sentence(call(gone).lines.at(-1)), "The recording is gone: kept for 30 days.");
  const failed = open(turn(2, "started"), turn(3, "failed", { reason: "the disk is full", time: 3 }));
  assert.match(recordingSentence(call(failed), true), /cannot record/);
  assert.equal(call(fold(failed, ended(4))).recording.state, "spooled", "what was recorded before can be heard");
});

test("what the list says of a recording is not undone by older events that come again", () => {
  const recording = { state: "stored", seconds: 60, mediaType: "audio/flac" };
  const state = after(listed(summary({ live: false, endedAt: at(3), offset: 4, recording })), watching("full"), subscribed(), started());
  assert.equal(call(fold(state, turn(2, "started"))).recording.state, "stored");
});

test("nothing of an erased call stays on the page", () => {
  const state = fold(open(final(2, "my card number")), { type: "error", code: "erased", message: "erased on request", callSid: CALL });
  assert.deepEqual([call(state).lines, call(state).latest, call(state).recent, call(state).from, call(state).depth], [[], null, "", null, "full"]);
  assert.match(waiting(call(state)), /erased on request/);
});

test("an archive that is away is said, until the call comes", () => {
  const away = fold(after(watching("full")), { type: "error", code: "archive", message: "the disk is full", callSid: CALL });
  assert.match(waiting(call(away)), /the disk is full/);
  assert.doesNotMatch(waiting(call(fold(away, subscribed()))), /the disk is full/);
});

test("a token's rights are read from it, and one that cannot be read has none", () => {
  const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
  assert.ok(hasRight(null, "audio"), "without a token the hub is open");
  assert.ok(hasRight(token({ rights: ["audio", "archive"], sub: "??>>~~" }), "audio"));
  for (const each of [token({ calls: ["*"] }), token({ rights: "audio" }), "nonsense", "a.%.c"]) assert.ok(!hasRight(each, "audio"), each);
});
