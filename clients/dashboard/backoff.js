/**
 * When to reconnect to the hub, and when not to. Pure.
 */

/** The first wait and the longest. Between them the wait doubles. A page should be connected again within seconds of the hub's return. */
const FIRST_MS = 300;
const LONGEST_MS = 8000;

/** The hub's close code for a wrong or missing token. */
export const BAD_TOKEN = 4501;

/**
 * How long to wait before attempt 1, 2, 3 …, in milliseconds. Partly random: a hundred pages must not reconnect at one moment.
 */
export function wait(attempt, random = Math.random) {
  return Math.round(Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16)) * (0.5 + random() / 2));
}

/** What a close code means for the page: "token" (ask for one), "refused" (do not reconnect), or "offline" (reconnect and resume). */
export function phase(code) {
  if (code === BAD_TOKEN) return "token";
  return code >= 4500 && code <= 4599 ? "refused" : "offline";
}
