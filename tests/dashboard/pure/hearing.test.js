import assert from "node:assert/strict";
import { test } from "node:test";

import { metered } from "../../../clients/dashboard/hearing.js";

test("silence is nothing, the loudest sound fills the meter, and a voice is in the middle of it", () => {
  assert.equal(metered(0), 0);
  assert.equal(metered(0.001), 0, "a line that hums is silent");
  assert.equal(metered(1), 1);
  assert.equal(metered(2), 1);
  assert.ok(metered(0.05) > 0.4 && metered(0.05) < 0.6);
});
