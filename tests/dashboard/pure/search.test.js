import assert from "node:assert/strict";
import { test } from "node:test";

import { unheard } from "../../../clients/dashboard/call.js";
import { fits, found, latestWith, ordered, passages } from "../../../clients/dashboard/search.js";

const call = (more) => ({ ...unheard("CAabc123"), startedAtMs: 1, ...more });

test("a call is found by number however it is written, name, callSid and words", () => {
  const one = call({ from: "+14155550123", speakers: { inbound: "caller", outbound: "Maya" }, recent: "two tickets to lisbon" });
  for (const query of ["+1415", "415-555", "(415)", "5550123", "maya", "ABC1", "Lisbon", "maya lisbon", " "])
    assert.ok(fits(one, query), query);
  for (const query of ["999", "berlin", "maya berlin"]) assert.ok(!fits(one, query), query);
});

test("the words of an interim count as well", () => {
  assert.ok(fits(call({ latest: { text: "Could you HELP" } }), "help"));
});

test("live calls come first and newest on top, then the ended by their end; those only asked for are left out", () => {
  const calls = [
    call({ sid: "a", startedAtMs: 1 }),
    call({ sid: "b", startedAtMs: 2 }),
    call({ sid: "x", live: false, startedAtMs: null }),
    call({ sid: "c", live: false, endedAtMs: 5 }),
    call({ sid: "d", live: false, endedAtMs: 9 }),
  ];
  const { live, ended } = ordered(calls);
  assert.deepEqual(
    [live.map((each) => each.sid), ended.map((each) => each.sid)],
    [
      ["b", "a"],
      ["d", "c"],
    ],
  );
});

test("calls that fit by what the hub knows are in the list beside those that fit by what the page knows", () => {
  const calls = [call({ sid: "a", recent: "lisbon" }), call({ sid: "b" }), call({ sid: "c" })];
  const { live } = ordered(calls, "Lisbon", new Map([["c", null]]));
  assert.deepEqual(live.map((each) => each.sid).sort(), ["a", "c"]);
});

test("the latest line with a word of the filter is the one that is shown", () => {
  const line = (id, text, more = {}) => ({ id, kind: "final", text, ...more });
  const one = call({ lines: [line(1, "to Lisbon"), line(2, "from Lisbon"), line(3, "yes"), { id: 4, kind: "gap", reason: "lisbon" }] });
  assert.equal(latestWith(one, "maya lisbon").id, 2);
  assert.equal(latestWith(one, "berlin"), null);
  assert.equal(latestWith(call({ lines: [line(1, "Lisbon", { past: true })] }), "lisbon"), null, "a moment of a lost log leads nowhere");
});

test("a search within a call finds spoken lines only", () => {
  const lines = [
    { id: 1, kind: "final", text: "Hello there" },
    { id: 2, kind: "gap", text: "there" },
    { id: 3, kind: "final", text: "Who?" },
  ];
  assert.deepEqual(found(lines, "THERE"), [1]);
  assert.deepEqual(found(lines, "  "), []);
});

const joined = (parts) => parts.map((part) => part.text).join("");

test("pieces of a text always make the text again", () => {
  const text = "It is K 7 R, is it? <b>İ</b>";
  const words = [
    { text: "is", confidence: 0.1 },
    { text: "nowhere", confidence: 0.1 },
    { text: "is", confidence: 0.2 },
  ];
  for (const query of ["", "is", "k 7", "zz", "<b>"]) assert.equal(joined(passages(text, words, query)), text);
});

test("what was searched for and what is doubted stand out, also where they overlap", () => {
  const parts = passages(
    "The number is forty.",
    [
      { text: "number", confidence: 0.9 },
      { text: "forty", confidence: 0.31 },
    ],
    "is for",
  );
  assert.deepEqual(parts, [
    { text: "The number ", found: false, unsure: null },
    { text: "is ", found: true, unsure: null },
    { text: "for", found: true, unsure: 0.31 },
    { text: "ty", found: false, unsure: 0.31 },
    { text: ".", found: false, unsure: null },
  ]);
});

test("several words are marked each where it stands", () => {
  const parts = passages("two tickets to Lisbon", [], ["lisbon", "tickets"]);
  assert.deepEqual(parts.filter((part) => part.found).map((part) => part.text), ["tickets", "Lisbon"]);
});

test("words without a confidence are not doubted", () => {
  assert.deepEqual(passages("hello", [{ text: "hello" }]), [{ text: "hello", found: false, unsure: null }]);
});
