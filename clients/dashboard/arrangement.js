/**
 * The order of the list: calls that need attention first, then the live ones, each newest first or by a column that the reader chose. The
 * terminal's `board` has the same order. Pure.
 */

import { urgency, why } from "./attention.js";
import { lasted } from "./call.js";
import { answeredBy, directionOf } from "./filter.js";

/** The columns by which calls can be sorted. */
export const COLUMNS = ["number", "agent", "queue", "direction", "duration", "state"];

/** The order that nobody chose. */
export const NEWEST = "";

/** The live calls in two parts, each in its order: `{attention, live}`. */
export function arranged(calls, sort, nowMs) {
  const attention = calls.filter((call) => urgency(call) > 0);
  const live = calls.filter((call) => urgency(call) === 0);
  if (sort === NEWEST) {
    attention.sort((a, b) => urgency(b) - urgency(a) || newest(a, b));
    live.sort(newest);
  } else for (const part of [attention, live]) part.sort(by(sort, nowMs));
  return { attention, live };
}

function newest(a, b) {
  return (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0) || (a.sid < b.sid ? -1 : 1);
}

function by(column, nowMs) {
  if (column === "duration") return (a, b) => (lasted(b, nowMs) ?? 0) - (lasted(a, nowMs) ?? 0) || newest(a, b);
  const text = TEXTS[column];
  // What has no value stands last.
  return (a, b) => {
    const [one, other] = [text(a), text(b)];
    return Number(!one) - Number(!other) || one.localeCompare(other) || newest(a, b);
  };
}

const TEXTS = {
  number: (call) => call.from ?? call.to ?? call.sid,
  agent: (call) => answeredBy(call) ?? "",
  queue: (call) => call.queue ?? "",
  direction: (call) => directionOf(call) ?? "",
  state: (call) => why(call),
};
