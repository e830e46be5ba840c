import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, foldAll } from "../../../clients/dashboard/fold.js";
import { extension, playable, recordingSentence } from "../../../clients/dashboard/recording.js";
import { waiting } from "../../../clients/dashboard/sentences.js";
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
  assert.deepEqual(texts(over), ["started", "recording", "recording", "recording", "ended"]);
  assert.equal(call(over).live, false, "what is stored after the end does not bring the call back");
});

test("a recording that is no longer kept is gone, although the events told of it", () => {
  const over = open(turn(2, "started"), ended(3), turn(4, "stored", { seconds: 60 }));
  const told = fold(over, { type: "summary", summary: summary({ live: false, endedAt: at(3), offset: 4, recording: null }) });
  assert.equal(call(told).recording, null);
  assert.equal(call(fold(told, turn(4, "stored", { seconds: 60 }))).recording, null, "also when they are told again");
  const older = fold(over, { type: "summary", summary: summary({ offset: 2, recording: null }) });
  assert.equal(call(older).live, false, "a summary from before changes nothing");
});

test("a summary tells of a call of which nothing else is known yet", () => {
  const state = after(watching("full"), { type: "summary", summary: summary({ live: false, endedAt: at(9), offset: 7 }) });
  assert.deepEqual([call(state).from, call(state).live, call(state).offset], ["+14155550123", false, null]);
  assert.equal(after({ type: "summary", summary: summary() }).calls.size, 0, "nobody looks at it any longer");
});

test("nothing of an erased call stays on the page", () => {
  const state = fold(open(final(2, "my card number")), { type: "error", code: "erased", message: "erased on request", callSid: CALL });
  assert.deepEqual([call(state).lines, call(state).latest, call(state).recent, call(state).from, call(state).depth], [[], null, "", null, "full"]);
  assert.match(waiting(call(state)), /was erased/);
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
