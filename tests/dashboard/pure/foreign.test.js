import assert from "node:assert/strict";
import { test } from "node:test";

import { unheard } from "../../../clients/dashboard/call.js";
import { isolated, isolating } from "../../../clients/dashboard/foreign.js";
import { copied, sentence } from "../../../clients/dashboard/sentences.js";

test("words that run from right to left are isolated, and others left as they are", () => {
  assert.equal(isolated("שלום, 12."), "\u2068שלום, 12.\u2069");
  assert.equal(isolated("مرحبا"), "\u2068مرحبا\u2069");
  assert.equal(isolated("Zoë 你好 €, 12."), "Zoë 你好 €, 12.");
  assert.equal(isolated("می\u200cروم"), "\u2068می\u200cروم\u2069", "joiners are letters' own");
});

test("no text can act on what stands beside it", () => {
  assert.equal(isolated("+1415\u202e5550100"), "+14155550100");
  assert.equal(isolated("שלום\u2069\u202e 12"), "\u2068שלום 12\u2069", "an isolate cannot be ended from inside");
  assert.equal(isolated(" one\n\n[00:00.0] two\u2028three\u0085four\u001b[2J "), "one [00:00.0] two three four [2J");
  assert.equal(isolating`${"Ada\u202e"} pressed ${5}\n`, "Ada pressed 5\n");
});

test("every foreign part of a sentence is isolated", () => {
  const evil = "a\u202eb\n";
  const lines = [
    { kind: "gap", speaker: evil, start: 1, end: 2, reason: evil },
    { kind: "dtmf", speaker: evil, digits: evil },
    { kind: "tool", tool: evil, arguments: { [evil]: evil, list: [evil] }, outcome: null },
    { kind: "tool", tool: evil, arguments: null, outcome: evil, seconds: 1, detail: evil },
    { kind: "watchword", about: evil, summary: evil, speaker: evil },
    { kind: "stream-error", reason: evil },
    { kind: "lost", provider: evil, reason: evil, attempt: 1 },
    { kind: "lost", provider: evil, reason: evil, attempt: 0 },
    { kind: "switched", provider: evil, reason: evil },
    { kind: "started", provider: "p", model: "m", agent: evil, from: evil, to: evil, tracks: ["inbound"] },
    { kind: "started", provider: "p", model: "m", from: evil, to: evil, tracks: ["inbound"] },
    { ...unheard("CA1"), kind: "ended", reason: evil, duration: 1, completeness: { summary: evil } },
    { ...unheard("CA1"), kind: "condition", completeness: { summary: evil } },
  ];
  for (const line of lines) assert.doesNotMatch(sentence(line), /[\u202e\n]/, line.kind);
  assert.equal(copied({ kind: "final", start: 1, speaker: "מתקשר", text: "שלום." }), "[00:01.0] \u2068מתקשר\u2069: \u2068שלום.\u2069");
});
