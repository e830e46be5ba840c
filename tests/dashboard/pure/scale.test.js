import assert from "node:assert/strict";
import { test } from "node:test";

import { boxes, groups, labels, leftFor, scaleOf } from "../../../clients/dashboard/scale.js";

const HOURS = 4 * 3600;

/** Four hours of talk: an utterance of a second every 1.44 s. */
const SPOKEN = Array.from({ length: 10_000 }, (_, at) => [at * 1.44, at * 1.44 + 1]);

test("all of a call fills the width, and no closer view shows less than a quarter of a minute", () => {
  const whole = scaleOf(HOURS, 800);
  assert.equal(whole.px, 800);
  assert.equal(whole.zoomed, false);
  const closest = scaleOf(HOURS, 800, 1e9);
  assert.equal(closest.perSecond, 800 / 15);
  assert.equal(closest.closest, true);
  assert.equal(scaleOf(HOURS, 800, 1e-9).perSecond, whole.perSecond);
  assert.equal(scaleOf(10, 800, 1).zoomed, false, "a short call is shown whole, however close");
});

test("a moment stays under the pointer while the scale changes, and the view never leaves the call", () => {
  const scale = scaleOf(HOURS, 800, 10);
  const left = leftFor(scale, 7200, 300);
  assert.equal(7200 * scale.perSecond - left, 300);
  assert.equal(leftFor(scale, 0, 300), 0);
  assert.equal(leftFor(scale, HOURS, 300), scale.px - scale.width);
});

test("ten thousand utterances are never more boxes than pixels, from near and from far", () => {
  for (const perSecond of [null, 0.2, 1, 5, 50]) {
    const scale = scaleOf(HOURS, 800, perSecond);
    const from = perSecond === null ? 0 : 5000;
    const found = boxes(SPOKEN, scale, from, from + scale.width / scale.perSecond);
    assert.ok(found.length > 0 && found.length <= 401, `${perSecond}: ${found.length}`);
    for (const [at, [left, width]] of found.entries()) {
      assert.ok(width >= 1 && left >= -1 && left + width <= 803);
      assert.ok(at === 0 || left > found[at - 1][0] + found[at - 1][1], "boxes are apart");
    }
  }
});

test("only what is between two moments is drawn, also what begins before and ends after", () => {
  const scale = scaleOf(100, 100, 2);
  assert.deepEqual(boxes([[0, 10], [45, 55], [60, 61], [98, 200], [300, 301]], scale, 50, 100), [[-1, 11], [20, 2], [96, 5]]);
  assert.deepEqual(boxes([], scale, 0, 50), []);
});

test("marks that would cover each other are one, and those out of view are none", () => {
  const marks = [1, 2, 40, 41, 42, 99].map((place) => ({ place }));
  const places = (scale, from, to) => groups(marks, scale, from, to, 20).map((group) => group.map(({ place }) => place));
  assert.deepEqual(places(scaleOf(100, 100), 0, 100), [[1, 2], [40, 41, 42], [99]]);
  assert.deepEqual(places(scaleOf(100, 600, 40), 39, 54), [[40], [41], [42]]);
});

test("an axis has labels at moments that people count in, apart from each other", () => {
  assert.deepEqual(labels(scaleOf(HOURS, 800), 0, HOURS), [0, 3600, 7200, 10_800, 14_400].flatMap((at) => (at < HOURS ? [at, at + 1800] : [at])));
  const near = scaleOf(HOURS, 800, 50);
  assert.deepEqual(labels(near, 61, 70), [62, 64, 66, 68, 70]);
});
