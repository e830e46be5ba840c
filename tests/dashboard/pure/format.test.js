import assert from "node:assert/strict";
import { test } from "node:test";

import { phase, wait } from "../../../clients/dashboard/backoff.js";
import { EVERYTHING } from "../../../clients/dashboard/filter.js";
import { clock, day, dayHeading, lasting, percent, phone, shortSid, stamp, timeOfDay, wholeTime } from "../../../clients/dashboard/format.js";
import { hash, momentLink, parse, withoutToken } from "../../../clients/dashboard/place.js";
import { connection, copied, outage, sentence, title, trouble, waiting } from "../../../clients/dashboard/sentences.js";
import { unheard } from "../../../clients/dashboard/call.js";

test("times read as clocks do", () => {
  assert.deepEqual([0, 7.9, 754, 3723, -1].map(clock), ["0:00", "0:07", "12:34", "1:02:03", "0:00"]);
  assert.deepEqual([3.21, 59.96, 3723.5].map(stamp), ["00:03.2", "01:00.0", "1:02:03.5"], "as hub/captions.py writes them");
  assert.deepEqual([12_900, 60_000, 185_000, 3_600_000, 7_800_000].map(lasting), ["12 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min"]);
  assert.match(wholeTime(Date.UTC(2026, 0, 1, 13, 5, 9), "en-GB", "UTC"), /1 Jan 2026.*13:05:09/);
});

test("days are called as people call them", () => {
  const now = new Date(2026, 10, 26, 0, 30).getTime();
  const heading = (...moment) => dayHeading(new Date(...moment).getTime(), now, "en-GB");
  assert.deepEqual([heading(2026, 10, 26, 0, 5), heading(2026, 10, 25, 23, 59)], ["Today", "Yesterday"]);
  assert.match(heading(2026, 10, 24, 12), /^Tuesday,? 24 November 2026$/);
  assert.equal(day(new Date(2026, 10, 24).getTime(), "en-GB"), "24 Nov 2026");
  assert.equal(timeOfDay(Date.UTC(2026, 0, 1, 13, 5), "en-GB", "UTC"), "13:05");
});

test("numbers have room to breathe", () => {
  assert.deepEqual([phone("+14155550123"), phone("+442079460958")], ["+1\u00a0415\u00a0555\u00a00123", "+442079460958"]);
  assert.deepEqual([shortSid("CA" + "1".repeat(32)), shortSid("CA1")], ["CA1111…1111", "CA1"]);
  assert.equal(percent(0.456), "46 %");
});

test("an address names calls and moments, and what makes no sense is left out", () => {
  assert.deepEqual(parse("", "#CA1/t=93,CA2").panes, [
    { sid: "CA1", at: 93 },
    { sid: "CA2", at: null },
  ]);
  assert.deepEqual(
    parse("", "#CA1,CA1,<img>,CA2,CA3").panes.map(({ sid }) => sid),
    ["CA1", "CA2", "CA3"],
  );
  assert.equal(parse("", `#${Array.from({ length: 12 }, (_, index) => `CA${index}`)}`).panes.length, 9);
  assert.deepEqual(parse("", "#CA1/t=soon%").panes, [{ sid: "CA1", at: null }]);
  assert.deepEqual(parse("", "#CA1&t=83.2").panes, [{ sid: "CA1", at: 83.2 }]);
  assert.deepEqual(parse("?call=CA1&token=a.b.c", ""), { embedded: "CA1", filter: EVERYTHING, token: "a.b.c", panes: [] });
  assert.deepEqual(parse("?call=<script>", ""), { embedded: null, filter: EVERYTHING, token: null, panes: [] });
});

test("an address that was written is read back", () => {
  const panes = [
    { sid: "CA1", at: 93.5 },
    { sid: "CA2", at: null },
  ];
  assert.equal(hash(panes), "#CA1/t=93.5,CA2");
  assert.deepEqual(parse("", hash(panes)).panes, panes);
  assert.equal(hash([]), "");
  assert.equal(momentLink("http://hub/", "CA1", 93.04), "http://hub/#CA1/t=93");
});

test("a token never stays in an address", () => {
  assert.equal(withoutToken("?token=secret"), "");
  assert.equal(withoutToken("?call=CA1&token=secret"), "?call=CA1");
});

test("every kind of line is a sentence, and an unknown one is none", () => {
  const base = {
    speaker: "caller",
    provider: "deepgram",
    reason: "it broke",
    attempt: 1,
    start: 3,
    end: 8,
    duration: 61,
    completeness: { state: "complete", summary: "complete" },
    digits: "42",
    tracks: ["inbound"],
  };
  for (const kind of ["started", "gap", "lost", "restored", "switched", "condition", "ended", "restarted", "beginning-lost", "missing"]) {
    assert.match(sentence({ ...base, kind }), /^[\S ]+\.$/, kind);
  }
  assert.equal(sentence({ ...base, kind: "dtmf" }), "caller pressed 4 2");
  assert.equal(sentence({ kind: "sentiment" }), "");
  assert.equal(sentence({ ...base, kind: "ended", reason: "completed" }), "The call ended after 1:01. The record: complete.");
  assert.match(
    sentence({ ...base, kind: "ended", reason: "moonshine", completeness: { summary: "20 % of the audio was lost" } }),
    /\(moonshine\).*The record: 20 % of the audio was lost\.$/,
  );
});

test("a copied line is the line of transcript.txt", () => {
  const line = { kind: "final", start: 3.21, speaker: "Maya", text: "It is" };
  assert.equal(copied({ ...line, interrupted: true }), "[00:03.2] Maya: It is —");
  assert.equal(copied({ ...line, cut: true, unspoken: true }), "[00:03.2] Maya: (not spoken) It is … (the model stopped here)");
  assert.equal(copied({ ...line, unfinished: true }), "[00:03.2] Maya: It is … (not finished when the hub was restarted)");
  assert.equal(copied({ kind: "final", start: 3.21, speaker: "caller", text: "Hello." }), "[00:03.2] caller: Hello.");
  assert.equal(copied({ kind: "dtmf", speaker: "caller", digits: "1" }), "[caller pressed 1]");
});

test("a call is called by the far party's number, or else by its callSid", () => {
  const call = { ...unheard("CA" + "1".repeat(32)), from: "+14155550123", to: "+14155550100" };
  assert.equal(title({ ...call, direction: "inbound" }, shortSid), phone("+14155550123"));
  assert.equal(title({ ...call, direction: "outbound-api" }, shortSid), phone("+14155550100"));
  assert.equal(title({ ...call, from: null, to: null }, shortSid), "CA1111…1111");
});

test("the list tells a provider's trouble in a few words, while the call lives", () => {
  const call = { ...unheard("CA1"), trouble: { kind: "lost", provider: "deepgram", attempt: 2 } };
  assert.equal(trouble(call), "", "why it needs attention says it");
  assert.equal(trouble({ ...call, trouble: { ...call.trouble, attempt: 0 } }), "deepgram stopped");
  assert.equal(trouble({ ...call, trouble: { ...call.trouble, kind: "switched" } }), "now deepgram");
  assert.equal(trouble({ ...call, live: false }), "");
  const refused = { ...call, trouble: { ...call.trouble, attempt: 0 }, completeness: { state: "not-transcribed", summary: "no" } };
  assert.equal(trouble(refused), "", "the record's own sentence says it");
});

test("an empty transcript says why", () => {
  const call = unheard("CA1");
  assert.match(waiting(call), /Fetching/);
  assert.match(waiting({ ...call, following: true }), /No words yet/);
  const completeness = { state: "not-transcribed", summary: "not transcribed: deepgram refused the key" };
  assert.match(waiting({ ...call, following: true, completeness }), /Nobody transcribes/, "people may well be speaking");
  assert.match(waiting({ ...call, known: false }), /does not know this call/);
  assert.match(waiting({ ...call, known: false, lines: [{}] }), /no longer knows/);
});

test("the connection is a sentence, and an outage says for how long", () => {
  const link = { phase: "offline", sinceMs: 1000, retryAtMs: 16_000, code: 1006 };
  assert.equal(outage(link, 13_000), "No connection to the hub for 12 s. What you see may be out of date. Trying again in 3 s.");
  assert.match(outage(link, 17_000), /Trying again now/);
  for (const phase of ["open", "connecting", "offline", "token", "refused"]) assert.ok(connection({ ...link, phase }));
});

test("close codes are policy: some say come back, some say do not", () => {
  assert.deepEqual([1000, 1006, 4408, 4409, 4499].map(phase), Array(5).fill("offline"));
  assert.deepEqual([4500, 4503, 4504, 4599].map(phase), Array(4).fill("refused"));
  assert.equal(phase(4501), "token");
});

test("waits double up to a limit, and jitter spreads them", () => {
  assert.deepEqual(
    [1, 2, 3, 20, 1e6].map((attempt) => wait(attempt, () => 1)),
    [300, 600, 1200, 8000, 8000],
  );
  assert.equal(
    wait(1, () => 0),
    150,
  );
});
