import assert from "node:assert/strict";
import { test } from "node:test";

import { arranged, COLUMNS, NEWEST } from "../../../clients/dashboard/arrangement.js";
import { listedAttention } from "../../../clients/dashboard/attention.js";
import { unheard } from "../../../clients/dashboard/call.js";
import { EVERYTHING, fitsHere, parameters, wantsPast, within } from "../../../clients/dashboard/filter.js";
import { capacity, columns } from "../../../clients/dashboard/grid.js";

const NOW = 1_000_000_000;
const needs = (...kinds) => listedAttention(kinds.map((kind) => ({ kind, about: "x", since: "" })), 1);
const one = (sid, more) => ({ ...unheard(sid), startedAtMs: NOW - 60_000, ...more });

const CALLS = [
  one("CA1", { from: "+3", queue: "orders", startedAtMs: NOW - 900_000, direction: "outbound-api" }),
  one("CA2", { from: "+1", person: "Ada", attention: needs("tool-failed") }),
  one("CA3", { from: "+2", person: "Maya", queue: "billing", startedAtMs: NOW - 30_000, direction: "inbound" }),
  one("CA4", { from: "+4", agent: "sales", attention: needs("not-transcribed"), startedAtMs: NOW - 600_000 }),
  one("CA5", { attention: needs("tool-failed"), startedAtMs: NOW - 20_000 }),
];

const sids = (calls) => calls.map(({ sid }) => sid.at(-1)).join("");
const order = (sort) => {
  const { attention, live } = arranged(CALLS, sort, NOW);
  return `${sids(attention)} ${sids(live)}`;
};

test("the most urgent call comes first, then the newest; live calls below them, the newest first", () => {
  assert.equal(order(NEWEST), "452 31");
});

test("another order holds within both parts, and what has no value stands last", () => {
  const found = Object.fromEntries(COLUMNS.map((column) => [column, order(column)]));
  assert.deepEqual(found, { number: "245 31", agent: "245 31", queue: "524 31", direction: "524 31", duration: "425 13", state: "452 31" });
});

test("direction, duration, queue and attention filter what the page has; the hub is asked for what it knows", () => {
  const fit = (more) => sids(CALLS.filter((call) => fitsHere(call, { ...EVERYTHING, ...more }, NOW) && within(call, { ...EVERYTHING, ...more })));
  assert.equal(fit({ direction: "outbound" }), "1");
  assert.equal(fit({ direction: "inbound" }), "3");
  assert.equal(fit({ longer: "10" }), "14");
  assert.equal(fit({ queue: "billing" }), "3");
  assert.equal(fit({ agent: "Ada" }), "2");
  assert.equal(fit({ agent: "sales" }), "4");
  assert.equal(fit({ state: "attention" }), "245");
  assert.equal(fit({ state: "live" }), "12345");
  const asked = parameters({ ...EVERYTHING, direction: "inbound", longer: "3", state: "attention", queue: "billing", agent: "live" });
  assert.deepEqual([...asked.keys()].sort(), ["agent", "queue"]);
  assert.deepEqual(["attention", "live", "complete", ""].map((state) => wantsPast({ state })), [false, false, true, true]);
});

test("a grid has four to nine calls where there is room for four, and none elsewhere", () => {
  assert.equal(capacity(1552, 1000), 9);
  assert.equal(capacity(1072, 780), 6);
  assert.equal(capacity(810, 500), 4);
  assert.equal(capacity(700, 900), 0);
  assert.equal(capacity(5000, 3000), 9, "nobody follows more");
  assert.deepEqual([1, 2, 3, 4, 6, 9].map((calls) => columns(calls, 1552)), [1, 2, 2, 2, 3, 3]);
  assert.equal(columns(6, 1072), 2);
});
