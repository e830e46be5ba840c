/**
 * Commands for a terminal that do what the page does, at this very hub. Pure.
 */

/** Where a hub listens unless its settings say otherwise: `transcript-client` looks there by itself. */
const USUAL = "ws://127.0.0.1:5000";

/** What a call needs to be let in besides, by how this hub knows that a stream is Twilio's. */
const PROOFS = { signature: " --sign", token: " --parameter token=…" };

/** Play a sample call into the hub. `base` is the page's address, `proof` is the hub's: none, signature or token. */
export function playCommand(base, proof) {
  return `transcript-client call${option(base, "/twilio")}${PROOFS[proof] ?? ""}`;
}

/** Watch all calls in a terminal. `token`: whether the hub wants one. */
export function boardCommand(base, token) {
  return `${carried(token)}transcript-client board${option(base, "/client")}`;
}

/** Read one call along in a terminal; without a callSid the newest. */
export function tailCommand(base, token, sid) {
  return `${carried(token)}transcript-client tail${sid ? ` ${sid}` : ""}${option(base, "/client")}`;
}

/** Read one call along with nothing of the hub's installed; without a callSid all of them. */
export function websocatCommand(base, token, sid) {
  const asked = sid ?? '{"action":"subscribe","calls":"all"}';
  return `echo '${asked}' | websocat -n ${token ? '-H="Authorization: Bearer $HUB_TOKEN" ' : ""}${door(base, "/client")}`;
}

/** What does the same as the page: all calls, then the call that is read, or the newest one if none is. */
export function terminalCommands(base, token, sid) {
  return [boardCommand(base, token), tailCommand(base, token, sid), websocatCommand(base, token, sid)];
}

/** Make a token. `sid`: for this call only; null for all calls. */
export function tokenCommand(sid) {
  return `transcript-hub token ${sid ?? "'*'"} --hours 8`;
}

function door(base, name) {
  return base.replace(/^http/, "ws").replace(/\/+$/, "") + name;
}

function option(base, name) {
  const at = door(base, name);
  return at === USUAL + name ? "" : ` --url ${at}`;
}

function carried(token) {
  return token ? "HUB_TOKEN=… " : "";
}
