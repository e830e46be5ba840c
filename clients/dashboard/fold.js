/**
 * The page's state as a pure function of its events: `fold(state, event)`.
 *
 * Events are the hub's (its documentation has the table) and a few of the page's own: `socket-opened`, `socket-closed`, `watching`, `tick`.
 * A state is never changed, so that views find what is new by comparing references. Does not know the document, sockets or the time. How
 * one call changes with its events is in call.js.
 */

import { urgency } from "./attention.js";
import { amiss, durable, erased, interim, statistics, subscribed, unheard, watched } from "./call.js";
import { abandoned } from "./call_lines.js";
import { listedCall } from "./summary.js";

/** The facts of a call that decide where it stands in the list. */
const PLACED_BY = ["live", "known", "startedAtMs", "endedAtMs", "person", "queue", "agent"];

/** The state before the first event. */
export function nothing() {
  return {
    /** The connection. `phase` is connecting, open, offline, token (the hub wants one) or refused (the hub refused for good). */
    link: { phase: "connecting", sinceMs: null, retryAtMs: null, code: null, lastMs: null },
    /** Whether a list of calls has come. */
    listed: false,
    /** The hub's latest refusal that concerns no single call; null if there is none. */
    refusal: null,
    /** Counts the changes on which the list's order depends: a call came, went, started, ended, became known, or got into trouble. */
    turns: 0,
    /** By callSid. */
    calls: new Map(),
  };
}

/** The state after one event. */
export function fold(state, event) {
  return foldAll(state, [event]);
}

/** The state after many events: the same as folding them one by one, at the cost of one copy. */
export function foldAll(state, events) {
  // `fresh` holds what was copied in this batch and may therefore be changed. Without it, a long call's lines would be copied once per
  // line.
  const batch = { calls: state.calls, turns: state.turns, fresh: new WeakSet() };
  let next = state;
  for (const event of events) next = step(next, event, batch);
  return next.calls === batch.calls ? next : { ...next, calls: batch.calls, turns: batch.turns };
}

function step(state, event, batch) {
  switch (event.type) {
    case "socket-opened":
      return { ...state, link: { ...state.link, phase: "open", sinceMs: event.atMs, retryAtMs: null, code: null } };
    case "socket-closed":
      for (const call of batch.calls.values()) if (call.following) put(batch, { ...call, following: false });
      return { ...state, link: closed(state.link, event) };
    case "calls":
      listed(batch, event.calls);
      return { ...state, listed: true, refusal: null };
    case "tick":
      expire(batch, event.nowMs, event.keepMs);
      return state;
    case "watching":
      put(batch, watched(batch.calls.get(event.callSid) ?? { ...unheard(event.callSid), live: false, ...event.known }, event.depth));
      return state;
    case "error":
      if (!event.callSid) return { ...state, refusal: { code: event.code, message: event.message } };
      change(batch, event.callSid, (call) => refused(call, event));
      return state;
    case "interim":
      change(batch, event.callSid, (call) => interim(call, event));
      return state;
    case "subscribed":
      change(batch, event.callSid, (call) => subscribed(call, event, batch.fresh));
      return state;
    case "unsubscribed":
      change(batch, event.callSid, (call) => ({ ...call, following: false }));
      return state;
    default:
      if (event.offset !== undefined) {
        if (event.type === "call-started" && !batch.calls.has(event.callSid)) put(batch, unheard(event.callSid));
        change(batch, event.callSid, (call) => durable(call, event, batch.fresh));
      } else if (event.type === "statistics") change(batch, event.callSid, (call) => statistics(call, event));
      return state; // an event type that a newer hub may have
  }
}

/** The call after the hub refused something about it. Most refusals are about one request, and change nothing of the call. */
function refused(call, { code, message }) {
  if (code === "unknown-call") return { ...abandoned(call), known: false, live: false, following: false };
  if (code === "erased") return erased(call, message);
  return code === "archive" ? { ...call, problem: message } : call;
}

function change(batch, sid, to) {
  const call = batch.calls.get(sid);
  if (call === undefined) return;
  const next = to(call);
  if (next !== call) put(batch, next);
}

function put(batch, call) {
  const before = batch.calls.get(call.sid);
  if (!before || urgency(before) !== urgency(call) || amiss(before) !== amiss(call) || PLACED_BY.some((name) => before[name] !== call[name])) batch.turns += 1;
  own(batch).set(call.sid, call);
}

function drop(batch, call) {
  batch.turns += 1;
  own(batch).delete(call.sid);
}

function own(batch) {
  if (!batch.fresh.has(batch.calls)) {
    batch.calls = new Map(batch.calls);
    batch.fresh.add(batch.calls);
  }
  return batch.calls;
}

function closed(link, event) {
  const offlineSince = link.phase === "offline" ? link.sinceMs : event.atMs;
  return { phase: event.phase, sinceMs: offlineSince, retryAtMs: event.retryAtMs ?? null, code: event.code ?? null, lastMs: event.atMs };
}

function listed(batch, summaries) {
  const seen = new Set();
  for (const summary of summaries) {
    seen.add(summary.callSid);
    const call = batch.calls.get(summary.callSid) ?? unheard(summary.callSid);
    put(batch, listedCall(call, summary));
  }
  for (const call of [...batch.calls.values()]) {
    if (seen.has(call.sid)) continue;
    // The list has live and recent calls only. An open call that is not in it may be older: the answer to its own subscription decides.
    if (call.depth !== "tail") put(batch, { ...call, live: false });
    else drop(batch, call);
  }
}

function expire(batch, nowMs, keepMs) {
  for (const call of [...batch.calls.values()]) {
    if (call.live || call.depth !== "tail" || call.endedAtMs === null || nowMs - call.endedAtMs < keepMs) continue;
    drop(batch, call);
  }
}
