import assert from "node:assert/strict";
import { test } from "node:test";

import { boardCommand, playCommand, tailCommand, tokenCommand, websocatCommand } from "../../../clients/dashboard/commands.js";

const USUAL = "http://127.0.0.1:5000/";
const BEHIND = "https://hub.example.com/hub/";
const SID = "CA0123";

test("where the hub is where the client looks by itself, no address is named", () => {
  assert.equal(playCommand(USUAL, "none"), "transcript-client call");
  assert.equal(boardCommand(USUAL, false), "transcript-client board");
  assert.equal(tailCommand(USUAL, false, SID), "transcript-client tail CA0123");
});

test("elsewhere the address is the page's own, also behind a proxy", () => {
  assert.equal(playCommand(BEHIND, "signature"), "transcript-client call --url wss://hub.example.com/hub/twilio --sign");
  assert.equal(boardCommand(BEHIND, false), "transcript-client board --url wss://hub.example.com/hub/client");
  assert.equal(websocatCommand(BEHIND, false, SID), "echo 'CA0123' | websocat -n wss://hub.example.com/hub/client");
});

test("a hub that wants a token is followed with one, and the command that makes it names the call", () => {
  assert.equal(tailCommand(USUAL, true, null), "HUB_TOKEN=… transcript-client tail");
  assert.equal(
    websocatCommand(USUAL, true, null),
    `echo '{"action":"subscribe","calls":"all"}' | websocat -n -H="Authorization: Bearer $HUB_TOKEN" ws://127.0.0.1:5000/client`,
  );
  assert.equal(tokenCommand(null), "transcript-hub token '*' --hours 8");
  assert.equal(tokenCommand(SID), "transcript-hub token CA0123 --hours 8");
  assert.equal(playCommand(USUAL, "token"), "transcript-client call --parameter token=…");
});
