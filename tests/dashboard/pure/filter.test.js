import assert from "node:assert/strict";
import { test } from "node:test";

import { unheard } from "../../../clients/dashboard/call.js";
import { EVERYTHING, filterOf, isEmpty, parameters, parts, searchWith, within } from "../../../clients/dashboard/filter.js";

const filter = (more) => ({ ...EVERYTHING, ...more });

test("a filter that was written into an address is read back, and what else stands there stays", () => {
  const asked = filter({ q: "50 % & more #1", from: "2026-11-01", to: "2026-11-20", number: "+14155550123", agent: "maya", state: "incomplete" });
  const search = searchWith("?theme=x&q=old", asked);
  assert.deepEqual(filterOf(search), asked);
  assert.equal(new URLSearchParams(search).get("theme"), "x");
  assert.equal(searchWith(search, EVERYTHING), "?theme=x");
  assert.equal(searchWith("", EVERYTHING), "");
});

test("what makes no sense in an address is left out", () => {
  assert.deepEqual(filterOf("?from=2026-13-01&to=soon&state=nice&q=%20hello%20"), filter({ q: "hello" }));
  assert.ok(isEmpty(filterOf("?from=2026-02-30&state=constructor")));
  assert.equal(filterOf(`?q=${"a".repeat(900)}`).q.length, 200);
});

test("days are asked for from their first moment to their last, in the reader's time zone", () => {
  const asked = parameters(filter({ from: "2026-10-24", to: "2026-10-25" }), { live: "false" });
  assert.equal(asked.get("from"), new Date(2026, 9, 24).toISOString());
  assert.equal(asked.get("to"), new Date(2026, 9, 26).toISOString(), "also a day of 25 hours");
  assert.equal(asked.get("live"), "false");
  assert.deepEqual([...parameters(EVERYTHING).keys()], []);
});

test("a call is within a filter by its day, number, agent and state", () => {
  const startedAtMs = new Date(2026, 10, 20, 23, 59).getTime();
  const call = { ...unheard("CA1"), startedAtMs, from: "+14155550123", agent: "Frieda", completeness: { state: "complete" } };
  for (const more of [
    {},
    { from: "2026-11-20", to: "2026-11-20" },
    { number: "+1 (415) 555-0123" },
    { agent: "Frieda" },
    { state: "complete" },
  ])
    assert.ok(within(call, filter(more)), JSON.stringify(more));
  for (const more of [{ from: "2026-11-21" }, { to: "2026-11-19" }, { number: "+1415555012" }, { agent: "maya" }, { state: "incomplete" }])
    assert.ok(!within(call, filter(more)), JSON.stringify(more));
  assert.ok(!within(unheard("CA2"), filter({ from: "2026-11-21" })), "nobody knows when it began");
});

test("each part of a filter but the words is a few words of its own", () => {
  assert.deepEqual(
    parts(filter({ q: "refund", number: "+1\u202e", state: "not-transcribed" })),
    [
      ["number", "number +1"],
      ["state", "not transcribed"],
    ],
  );
  assert.match(parts(filter({ from: "2026-11-20" }))[0][1], /^since .*2026/);
});
