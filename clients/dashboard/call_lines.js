/**
 * A call's lines: what its events add to them, in the order of call time. Pure: neither a call nor a line is ever changed.
 */

import { noteLine } from "./note.js";
import { comparable } from "./words.js";

/** Lines kept of a call that is open on screen: four hours of dense talk. The download has the older ones, too. */
export const MAX_LINES = 12_000;

/** Lines kept of a call that only the list shows. */
export const TAIL_LINES = 40;

/** Text kept of a call for the list's search: about 25 minutes of talk. */
export const RECENT_CHARACTERS = 16_384;

/** Keys pressed within this time of each other are shown as one entry. */
const DTMF_TOGETHER_MS = 5000;

/** How far back a key looks for the keys before it, and a tool's answer for its call: people go on talking meanwhile. */
const LOOK_BACK_LINES = 60;

/**
 * The call after the hub lost its log, or what was said on one track: no final will ever come for those that are `lost` of what is open now.
 * Words that a reader saw become lines that say so.
 */
export function abandoned(call, lost = () => true) {
  const stays = Object.fromEntries(Object.entries(call.open).filter(([, each]) => !lost(each)));
  const open = Object.values(call.open).filter((each) => each.text && lost(each));
  if (call.depth === "tail" || open.length === 0) return { ...call, open: stays };
  const lines = open.sort((a, b) => a.start - b.start).map((each) => {
    const { utterance, track, speaker, text, start, end } = each;
    const line = { id: `${call.epoch}:open:${utterance}`, kind: "final", place: start, atMs: milliseconds(each.at) };
    return { ...line, track, speaker, text, start, end, confidence: null, words: [], unfinished: true };
  });
  return { ...lines.reduce((kept, line) => insert(kept, line, new WeakSet()), call), open: stays };
}

/** Add an event from the call's own subscription to its lines. */
export function happened(call, event, fresh) {
  const atMs = milliseconds(event.at);
  switch (event.type) {
    case "final": {
      const { [event.utterance]: _, ...open } = call.open;
      const heardSeconds = Math.max(call.heardSeconds, event.end);
      if (!event.text) return { ...call, open, latest: without(call, event.utterance) }; // the provider took its interims back
      const { track, speaker, text, start, end, confidence = null, words = [] } = event;
      const { interrupted = false, cut = false, unspoken = false } = event;
      const recent = (call.recent + comparable(text)).slice(-RECENT_CHARACTERS);
      const latest = newest(event, true);
      const said = { place: start, track, speaker, text, start, end, confidence, words, interrupted, cut, unspoken };
      const line = { ...identity(call, event, "final"), ...said };
      return insert({ ...call, open, heardSeconds, recent, latest }, line, fresh);
    }
    case "gap": {
      const { track, start, end, reason } = event;
      const line = { ...identity(call, event, "gap"), place: start, track, speaker: call.speakers[track], start, end, reason };
      // Nobody hears again what an earlier process of the hub was hearing when it died.
      const heard = reason === "no stream" ? abandoned(call, (each) => each.track === track && each.start >= start - 0.05) : call;
      return insert({ ...heard, heardSeconds: Math.max(call.heardSeconds, end) }, line, fresh);
    }
    case "tool-called": {
      const { tool, time, invocation } = event;
      const line = { ...identity(call, event, "tool"), place: time, tool, invocation, arguments: event.arguments, outcome: null };
      return insert(call, line, fresh);
    }
    case "tool-returned": {
      const { tool, time, invocation, outcome, detail, seconds } = event;
      const told = { outcome, detail, seconds };
      const at = backwards(call.lines, (line) => line.kind === "tool" && line.invocation === invocation && line.outcome === null);
      if (at >= 0) return replaced(call, at, { ...call.lines[at], ...told }, fresh);
      return insert(call, { ...identity(call, event, "tool"), place: time, tool, invocation, arguments: null, ...told }, fresh);
    }
    case "agent-interrupted": {
      const { time, heard, generated } = event;
      const interruptions = call.interruptions + 1;
      const line = { ...identity(call, event, "interrupted"), place: time, heard, generated, count: interruptions };
      return insert({ ...call, interruptions }, line, fresh);
    }
    case "agent-trouble":
      return insert(call, { ...identity(call, event, "trouble"), place: event.time, reason: event.reason }, fresh);
    case "steered": {
      const { action, state, by, text = null, to = null, reason = null, time } = event;
      return insert(call, { ...identity(call, event, "steered"), place: time, action, state, by, text, to, reason }, fresh);
    }
    case "words-doubted":
      return insert(call, { ...identity(call, event, "doubted"), speaker: call.speakers[event.track], reason: event.reason }, fresh);
    case "condition-changed":
      return insert(call, { ...identity(call, event, "condition"), completeness: event.completeness }, fresh);
    case "recording-started":
    case "recording-paused":
    case "recording-resumed":
    case "recording-failed":
    case "recording-erased": {
      const { time = Math.max(call.heardSeconds, call.duration ?? 0), reason = null } = event;
      return insert(call, { ...identity(call, event, event.type), place: time, reason }, fresh);
    }
    case "stream-error":
      return insert(call, { ...identity(call, event, "stream-error"), reason: event.reason }, fresh);
    case "alert": {
      const { rule, summary, speaker = null, start } = event;
      return insert(call, { ...identity(call, event, "watchword"), place: start, about: rule, summary, speaker }, fresh);
    }
    case "alert-withdrawn":
      return insert(call, { ...identity(call, event, `watchword-${event.reason === "over" ? "over" : "wrong"}`), ...withdrawn(event) }, fresh);
    case "note": {
      const place = Math.max(call.heardSeconds, call.duration ?? 0);
      return insert(call, { ...identity(call, event, "note"), place, ...noteLine(call, event) }, fresh);
    }
    case "dtmf": {
      const { track } = event;
      const line = { ...identity(call, event, "dtmf"), track, speaker: call.speakers[track], digits: event.digit, lastMs: atMs };
      const at = backwards(call.lines, (each) => each.kind === "dtmf" && each.track === track && !each.past);
      const last = call.lines[at];
      if (last === undefined || atMs - last.lastMs > DTMF_TOGETHER_MS) return insert(call, line, fresh);
      return replaced(call, at, { ...last, digits: last.digits + event.digit, lastMs: atMs }, fresh);
    }
    case "call-started": {
      const again = call.lines.some((line) => line.kind === "started" && !line.past);
      const { from = null, to = null, transcriber, agent = null } = event;
      const line = { ...identity(call, event, "started"), from, to, ...transcriber, agent, tracks: event.tracks ?? [], again };
      return insert(call, line, fresh);
    }
    case "call-ended": {
      const { reason, duration, completeness } = event;
      const line = { ...identity(call, event, "ended"), place: Math.max(duration, call.heardSeconds), reason, duration, completeness };
      return insert({ ...call, open: {} }, line, fresh);
    }
    case "transcriber-lost":
    case "transcriber-restored":
    case "transcriber-switched": {
      const { provider, reason, attempt } = event;
      const kind = event.type.replace("transcriber-", "");
      const line = { ...identity(call, event, kind), provider, reason, attempt };
      const last = call.lines.at(-1);
      // Ten attempts to reconnect are one sentence with a count, not ten sentences.
      const repeat = kind === "lost" && last?.kind === "lost" && last.provider === provider && attempt > 0;
      return repeat ? replaced(call, call.lines.length - 1, { ...line, place: last.place }, fresh) : insert(call, line, fresh);
    }
    default: // of a newer hub: it counts, so that the lines after it are not taken for lines after a hole, and shows nothing
      return call;
  }
}

/** Of which alert it says so: the id of its line. */
function withdrawn({ epoch, alert, rule }) {
  return { about: rule, alert: `${epoch}:${alert}` };
}

function identity(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** A line that comes from no event of the call: a remark of the page itself. */
export function note(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}:${kind}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** What the list shows of an interim or a final. */
export function newest({ utterance, track, speaker, text, at }, settled) {
  return { utterance, track, speaker, text, settled, atMs: milliseconds(at) };
}

/** The newest words, when those of one utterance no longer count. */
function without(call, utterance) {
  if (call.latest?.utterance !== utterance) return call.latest;
  const last = call.lines.findLast((line) => line.kind === "final" && !line.past);
  return last ? { utterance: null, track: last.track, speaker: last.speaker, text: last.text, settled: true, atMs: last.atMs } : null;
}

/** Insert a line at its place in call time. When people overlap, an utterance that began earlier may end, and arrive, later. */
export function insert(call, line, fresh) {
  let lines = call.lines;
  if (!fresh.has(lines)) {
    lines = [...lines];
    fresh.add(lines);
  }
  let at = lines.length;
  while (at > 0 && lines[at - 1].place > line.place && !lines[at - 1].past && lines[at - 1].kind !== "restarted") at -= 1;
  lines.splice(at, 0, line);
  const most = call.depth === "tail" ? TAIL_LINES : MAX_LINES;
  // Cut a tenth at once: cutting the front for every line would cost more than everything else here.
  if (lines.length <= most * 1.1) return { ...call, lines };
  lines.splice(0, lines.length - most);
  return { ...call, lines, since: null };
}

/** Put another line in the place of one. */
function replaced(call, at, line, fresh) {
  let lines = call.lines;
  if (!fresh.has(lines)) {
    lines = [...lines];
    fresh.add(lines);
  }
  lines[at] = line;
  return { ...call, lines };
}

/** The index of the newest line for which this holds, of the last few; -1 if there is none. */
function backwards(lines, holds) {
  for (let at = lines.length - 1; at >= Math.max(0, lines.length - LOOK_BACK_LINES); at -= 1) if (holds(lines[at])) return at;
  return -1;
}

/** An event's `at` in Unix milliseconds; null if it has none. */
export function milliseconds(at) {
  const ms = at ? Date.parse(at) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
