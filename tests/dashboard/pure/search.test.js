import assert from "node:assert/strict";
import { test } from "node:test";

import { unheard } from "../../../clients/dashboard/call.js";
import { EVERYTHING } from "../../../clients/dashboard/filter.js";
import { excerpt, fits, found, latestWith, matches, passages } from "../../../clients/dashboard/search.js";

const call = (more) => ({ ...unheard("CAabc123"), startedAtMs: 1, ...more });

test("a call is found by number however it is written, name, callSid and words", () => {
  const one = call({ from: "+14155550123", speakers: { inbound: "caller", outbound: "Maya" }, recent: " two tickets to lisbon" });
  for (const query of ["+1415", "415-555", "(415)", "5550123", "maya", "CAabc", "c123", "Lisbon", "lis", "maya lisbon", '"tickets to"', " "])
    assert.ok(fits(one, query), query);
  for (const query of ["999", "berlin", "maya berlin", "isbon", '"to tickets"']) assert.ok(!fits(one, query), query);
});

test("the words of an interim count as well", () => {
  assert.ok(fits(call({ latest: { text: "Could you HELP" } }), "help"));
});

test("a call fits by what the hub knows of it, or by all that the page knows", () => {
  const filter = { ...EVERYTHING, q: "Lisbon", number: "+14155550123" };
  const here = call({ from: "+14155550123", recent: " lisbon" });
  assert.ok(matches(call({ sid: "b" }), filter, new Map([["b", null]])));
  assert.ok(matches(here, filter, new Map()));
  for (const other of [{ ...here, from: null }, { ...here, recent: "" }]) assert.ok(!matches(other, filter, new Map()));
});

test("the latest line with a word of the filter is the one that is shown", () => {
  const line = (id, text, more = {}) => ({ id, kind: "final", text, ...more });
  const one = call({ lines: [line(1, "to Lisbon"), line(2, "from Lisbon"), line(3, "yes"), { id: 4, kind: "gap", reason: "lisbon" }] });
  assert.equal(latestWith(one, "maya lisbon").id, 2);
  assert.equal(latestWith(one, "berlin"), null);
  assert.equal(latestWith(call({ lines: [line(1, "Lisbon", { past: true })] }), "lisbon"), null, "a moment of a lost log leads nowhere");
});

test("a hit is shown from a little before its first match, with each match where the hub says it is", () => {
  const shown = (hit, query) => excerpt(hit, query).map(({ text, found }) => (found ? `[${text}]` : text)).join("");
  assert.equal(shown({ text: "Zwei Cafés, bitte", matches: [[5, 4]] }, "cafe"), "Zwei [Café]s, bitte");
  assert.equal(shown({ text: "Zwei Cafés, bitte" }, "cafe bitte"), "Zwei [Café]s, [bitte]", "the page alone finds the same");
  assert.equal(shown({ text: `${"and so on ".repeat(20)}until I had my refund at last` }, "refund"), "…until I had my [refund] at last");
  assert.equal(shown({ text: "😀 don’t worry" }, "dont"), "😀 [don’t] worry");
  assert.equal(shown({ text: "nothing here" }, "x"), "nothing here");
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

test("words without a confidence are not doubted", () => {
  assert.deepEqual(passages("hello", [{ text: "hello" }]), [{ text: "hello", found: false, unsure: null }]);
});
