/**
 * What the rules of the watchwords found in a call: the same fold as the hub's `transcript/alerts.py`, and the same words. Pure.
 */

import { say } from "./language.js";

/** Alerts of which more is kept than their number: when the newest is withdrawn, the one before it is shown. */
const NEWEST = 16;

export const NO_ALERTS = Object.freeze({ count: 0, newest: Object.freeze([]) });

/** What a summary says of a call's alerts. The offset of one that was told in a summary is not known. */
export function listedAlerts(summary) {
  return summary ? { count: summary.count, newest: [{ offset: 0, rule: summary.rule, found: summary.summary }] } : NO_ALERTS;
}

/** The alerts after the next `alert` or `alert-withdrawn`, without those that were wrong. */
export function alerted({ count, newest }, event) {
  if (event.type === "alert") {
    const { offset, rule, summary: found } = event;
    return { count: count + 1, newest: [...newest, { offset, rule, found }].slice(-NEWEST) };
  }
  if (event.reason === "over") return { count, newest }; // it was right
  return { count: Math.max(0, count - 1), newest: newest.filter(({ offset }) => offset !== event.alert) };
}

/** The alerts of a call that is over, in words: how many, and what the newest found. Empty if there are none. */
export function alertsSentence({ count, newest }) {
  const last = newest.at(-1);
  return count && last ? say("why.alerts", { n: count, rule: last.rule, found: last.found }) : "";
}
