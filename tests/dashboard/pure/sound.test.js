import assert from "node:assert/strict";
import { test } from "node:test";

import { JitterBuffer } from "../../../clients/dashboard/jitter.js";
import { decode, read } from "../../../clients/dashboard/mulaw.js";

test("mu-law decodes as G.711 says", () => {
  // Values of ITU-T G.191's ulaw_expand, which audioop.ulaw2lin gives too.
  const known = [
    [0x00, -32124],
    [0x80, 32124],
    [0xff, 0],
    [0x7f, 0],
    [0xfe, 8],
    [0x7e, -8],
    [0x0f, -16764],
    [0xb0, 3900],
    [0x55, -716],
  ];
  const samples = decode(Uint8Array.from(known, ([byte]) => byte));
  assert.deepEqual(
    [...samples].map((value) => Math.round(value * 32_768) + 0),
    known.map(([, value]) => value),
  );
  // All 256 at once: audioop's values, each times its byte, summed.
  const all = decode(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(Math.round([...all].reduce((sum, value, byte) => sum + byte * value * 32_768, 0)), 98_107_392);
});

test("a message is split into its time and its two sides", () => {
  const bytes = Uint8Array.from([0, 0, 0, 7, 0, 0, 1, 44, 0xff, 0x00, 0xff, 0x80]);
  const { id, atMs, left, right } = read(bytes.buffer);
  assert.deepEqual([id, atMs, left.length], [7, 300, 2]);
  assert.deepEqual(
    [...left].map((value) => value + 0),
    [0, 0],
  );
  assert.ok(right[0] < -0.98 && right[1] > 0.98);
  assert.equal(read(new ArrayBuffer(7)), null);
});

const RATE = 8000;
const block = (value) => new Float32Array(800).fill(value);

function pulled(buffer, ms) {
  const [left, right] = [new Float32Array(ms * 8), new Float32Array(ms * 8)];
  buffer.pull(left, right);
  return left;
}

function filled(...values) {
  const buffer = new JitterBuffer(RATE);
  values.forEach((value, at) => buffer.push(1000 + at * 100, block(value), block(value)));
  return buffer;
}

test("nothing plays until a little is held back, then everything in order", () => {
  const buffer = filled(0.1);
  assert.equal(pulled(buffer, 10)[0], 0);
  buffer.push(1100, block(0.2), block(0.2));
  assert.deepEqual(
    [pulled(buffer, 100)[0], pulled(buffer, 100)[799]].map((value) => value.toFixed(1)),
    ["0.1", "0.2"],
  );
});

test("messages in the wrong order, twice, or too late play once and in place", () => {
  const buffer = new JitterBuffer(RATE);
  buffer.push(1000, block(0.1), block(0.1));
  buffer.push(1200, block(0.3), block(0.3));
  buffer.push(1100, block(0.2), block(0.2));
  buffer.push(1100, block(0.9), block(0.9));
  assert.deepEqual(
    [100, 100, 100].map((ms) => pulled(buffer, ms)[400].toFixed(1)),
    ["0.1", "0.2", "0.3"],
  );
  buffer.push(1000, block(0.9), block(0.9));
  assert.equal(buffer.heldMs(), 0);
});

test("a lost message is silence of its length, so both sides stay in time", () => {
  const buffer = filled(0.1);
  buffer.push(1200, block(0.3), block(0.3));
  assert.deepEqual(
    [100, 100, 100].map((ms) => pulled(buffer, ms)[400].toFixed(1)),
    ["0.1", "0.0", "0.3"],
  );
});

test("run dry, it holds back again before it goes on", () => {
  const buffer = filled(0.1, 0.2);
  pulled(buffer, 200);
  assert.equal(buffer.dry, 1);
  buffer.push(1200, block(0.3), block(0.3));
  assert.equal(pulled(buffer, 100)[0], 0);
  buffer.push(1300, block(0.4), block(0.4));
  assert.equal(pulled(buffer, 100)[0].toFixed(1), "0.3");
});

test("however much comes at once, a listener is never more than half a second behind", () => {
  const buffer = new JitterBuffer(RATE);
  for (let at = 0; at < 100; at += 1) {
    buffer.push(at * 100, block(0.1), block(0.1));
    assert.ok(buffer.heldMs() <= 500);
  }
  buffer.push(60_000, block(0.5), block(0.5)); // the call's clock leapt over a hole
  assert.ok(buffer.heldMs() <= 500 && buffer.blocks.length <= 5);
});

test("any sizes pulled give the same samples", () => {
  const all = pulled(filled(0.1, 0.2, 0.3), 300);
  const buffer = filled(0.1, 0.2, 0.3);
  const parts = [16, 16, 128, 7, 133].flatMap((ms) => [...pulled(buffer, ms)]);
  assert.deepEqual(parts, [...all]);
});
