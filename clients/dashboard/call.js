/**
 * One call as the page knows it: its facts, who speaks, and its lines in the order of call time. Pure: a call object is never changed.
 *
 * The same event may come from two subscriptions: the feed of all calls, and the call's own subscription. Only the call's own subscription
 * is in order and complete. So an event at or before its offset is a repeat. A start, an end or a provider's trouble that is further on
 * came from the feed: it may change what the list shows, but never the transcript.
 *
 * For example: the page has events 1 to 3 of a call, and the feed brings `call-ended` with offset 9. The list shows the call as ended at
 * once. The transcript waits for events 4 to 8 and shows the end after them.
 */

import { recorded, RECORDING } from "./recording.js";
import { comparable } from "./words.js";

/** Lines kept of a call that is open on screen: four hours of dense talk. The download has the older ones, too. */
export const MAX_LINES = 5000;

/** Lines kept of a call that only the list shows. */
export const TAIL_LINES = 40;

/** Text kept of a call for the list's search: about 25 minutes of talk. */
export const RECENT_CHARACTERS = 16_384;

/** Keys pressed within this time of each other are shown as one entry. */
const DTMF_TOGETHER_MS = 5000;

/** A person with no new words for this long has stopped speaking, even if the provider has not closed the utterance yet. */
const SPEAKING_MS = 2500;

const LIFE = new Set(["call-started", "call-ended", "condition-changed"]);
const PROVIDER = new Set(["transcriber-lost", "transcriber-restored", "transcriber-switched"]);

/** Events that concern a call as a whole: they come from the list of all calls, too. All others come from a call's own subscription only. */
const WHOLE_CALL = new Set([...LIFE, ...PROVIDER, ...RECORDING, "statistics", "stream-error"]);

/** A call of which only the callSid is known. */
export function unheard(sid) {
  return {
    sid,
    /** Whether the hub knows this call, by its latest list or answer. */
    known: true,
    live: true,
    startedAtMs: null,
    endedAtMs: null,
    from: null,
    to: null,
    direction: null,
    speakers: { inbound: "caller", outbound: "callee" },
    /** The voice agent that answers the call; null if none does. */
    agent: null,
    provider: null,
    model: null,
    /** The provider's trouble: `{kind: "lost" | "switched", provider, reason, attempt}`; null when all is well. */
    trouble: null,
    reason: null,
    /** Seconds of call time, once the call has ended. */
    duration: null,
    /** How whole the record is, as the hub says: `{state, summary, …}`; null while unknown. */
    completeness: null,
    /** How many utterances with words the hub has counted, by its latest list; null while unknown. */
    utterances: null,
    /** Who spoke how much, and when, as the hub says: the figures of its event `statistics`; null while unknown. */
    statistics: null,
    /** Its recording, as the hub says: `{state, seconds, mediaType}`; null if there is none. */
    recording: null,
    recordingOffset: 0,
    /** Since when and why the call is erased, in the hub's words; null if it is not. */
    erased: null,
    /** Why the hub could not get the call from its archive just now, in its words; null if it could. */
    problem: null,
    /** "tail" for the list, "full" while it is open on screen. */
    depth: "tail",
    /** Whether the hub has confirmed the call's own subscription and it is still running. */
    following: false,
    epoch: null,
    /** The offset of the last durable event from the call's own subscription; null when that must start from the beginning. */
    offset: null,
    /** The offset after which `lines` begin; 0 when they are complete, null when some were dropped. */
    since: null,
    /** The newest event that the page knows of, from the list or any subscription. A tail begins a little before it. */
    head: { epoch: null, offset: 0 },
    /** The offsets of the newest start or end, and of the newest event about the provider, in the log that `head.epoch` names. */
    lifeOffset: 0,
    providerOffset: 0,
    /** What was said and what happened, in the order of call time. */
    lines: [],
    /** The newest interim of each utterance that is not final, by id. */
    open: {},
    /** The newest words: `{utterance, track, speaker, text, settled, atMs}`. */
    latest: null,
    /** The latest second of call time that any line reaches. */
    heardSeconds: 0,
    /** The latest words in the spelling of words.js, for the list's search. */
    recent: "",
  };
}

export function watched(call, depth) {
  if (call.depth === depth) return call;
  // The tail of a young call is the whole call. An older call keeps the lines it has until all of them come.
  if (depth === "full") return { ...call, depth, offset: call.since === 0 ? call.offset : null };
  return call.lines.length <= TAIL_LINES ? { ...call, depth } : { ...call, depth, lines: call.lines.slice(-TAIL_LINES), since: null };
}

export function subscribed(call, event, fresh) {
  // What is still open in the same log comes again after this answer, and what has ended meanwhile comes as a final. What a hub that died had
  // open stays until its gap says that no final will come.
  const open = call.epoch === event.epoch ? call.open : {};
  const next = { ...call, known: true, following: true, problem: null, epoch: event.epoch, offset: event.offset, open };
  if (call.epoch !== null && call.epoch !== event.epoch) {
    next.since = event.offset;
    next.heardSeconds = 0;
    next.latest = null;
    // A new epoch is a new log: the hub has lost the events that this page still shows. A reader's lines are kept and marked as past.
    const before = call.depth === "full" ? abandoned(call).lines : [];
    next.lines = before.some((line) => line.kind === "final")
      ? [...before.map((line) => ({ ...line, past: true })), note(next, event, "restarted")]
      : [];
    return next;
  }
  if (call.offset === null || event.offset < call.offset) {
    next.lines = call.lines.filter((line) => line.past || line.kind === "restarted"); // all other lines come again
    next.since = event.offset;
    next.heardSeconds = 0;
    next.recent = "";
    if (!event.whole || (call.depth === "full" && event.offset > 0)) return insert(next, note(next, event, "beginning-lost"), fresh);
  } else if (event.offset > call.offset) {
    return insert(next, note(next, event, "missing"), fresh);
  }
  return next;
}

/**
 * The call after the hub lost its log, or what was said on one track: no final will ever come for those that are `lost` of what is open now.
 * Words that a reader saw become lines that say so.
 */
export function abandoned(call, lost = () => true) {
  const stays = Object.fromEntries(Object.entries(call.open).filter(([, each]) => !lost(each)));
  const open = Object.values(call.open).filter((each) => each.text && lost(each));
  if (call.depth !== "full" || open.length === 0) return { ...call, open: stays };
  const lines = open.sort((a, b) => a.start - b.start).map((each) => {
    const { utterance, track, speaker, text, start, end } = each;
    const line = { id: `${call.epoch}:open:${utterance}`, kind: "final", place: start, atMs: milliseconds(each.at) };
    return { ...line, track, speaker, text, start, end, confidence: null, words: [], unfinished: true };
  });
  return { ...lines.reduce((kept, line) => insert(kept, line, new WeakSet()), call), open: stays };
}

/** The call after it was erased. Nothing of it stays on the page. */
export function erased(call, message) {
  return { ...unheard(call.sid), depth: call.depth, live: false, known: false, erased: message };
}

export function interim(call, event) {
  if (!call.following || (call.open[event.utterance]?.revision ?? 0) > event.revision) return call;
  return {
    ...call,
    open: { ...call.open, [event.utterance]: event },
    latest: newest(event, false),
    heardSeconds: Math.max(call.heardSeconds, event.end),
  };
}

/** The call with its newest statistics so far: they have no offset, and are told to those who follow the call. */
export function statistics(call, event) {
  return call.following ? { ...call, statistics: event.figures } : call;
}

export function durable(call, event, fresh) {
  const next = status(call, event);
  if (!call.following || call.offset === null || event.epoch !== call.epoch || event.offset <= call.offset) return next;
  if (event.offset > call.offset + 1 && WHOLE_CALL.has(event.type)) return next; // from the feed; the own subscription brings it later
  const torn = event.offset > call.offset + 1;
  const here = { ...next, offset: event.offset };
  return happened(torn ? insert(here, note(here, event, "missing"), fresh) : here, event, fresh);
}

/** What the list shows of a call. Whichever subscription is first may change it. */
function status(call, event) {
  const same = event.epoch === call.head.epoch;
  const head = !same || event.offset > call.head.offset ? { epoch: event.epoch, offset: event.offset } : call.head;
  const anew = same ? {} : { lifeOffset: 0, providerOffset: 0, recordingOffset: 0, recording: null, trouble: null, completeness: null, statistics: null };
  const next = head === call.head ? call : { ...call, head, ...anew };
  if (event.type === "statistics" && event.offset > next.lifeOffset) return { ...next, statistics: event.figures, lifeOffset: event.offset };
  if (LIFE.has(event.type) && event.offset > next.lifeOffset) {
    if (event.type === "condition-changed") return { ...next, completeness: event.completeness, lifeOffset: event.offset };
    return event.type === "call-started" ? started(next, event) : ended(next, event);
  }
  if (RECORDING.has(event.type) && event.offset > next.recordingOffset) {
    return { ...next, recording: recorded(next.recording, event), recordingOffset: event.offset };
  }
  if (PROVIDER.has(event.type) && event.offset > next.providerOffset) return provided(next, event);
  return next;
}

function started(call, event) {
  return {
    ...call,
    known: true,
    live: true,
    startedAtMs: event.offset === 1 ? milliseconds(event.at) : (call.startedAtMs ?? milliseconds(event.at)),
    endedAtMs: null,
    from: event.from ?? call.from,
    to: event.to ?? call.to,
    direction: event.direction ?? call.direction,
    speakers: event.speakers ?? call.speakers,
    agent: event.agent ?? call.agent,
    provider: event.transcriber?.provider ?? call.provider,
    model: event.transcriber?.model ?? call.model,
    reason: null,
    duration: null,
    // Another transcriber begins. The hub publishes it if nobody transcribes again; what is missing in the record stays missing.
    completeness: !call.live && call.completeness?.state === "not-transcribed" ? null : call.completeness,
    lifeOffset: event.offset,
  };
}

function ended(call, event) {
  const { reason, duration, completeness } = event;
  const recording = recorded(call.recording, event);
  const over = { live: false, endedAtMs: milliseconds(event.at), reason, duration, completeness, recording };
  return { ...call, ...over, utterances: null, lifeOffset: event.offset }; // the list counted them before
}

function provided(call, event) {
  const { provider, reason, attempt } = event;
  const next = { ...call, providerOffset: event.offset };
  if (event.type === "transcriber-restored") return { ...next, provider, trouble: null };
  const kind = event.type === "transcriber-lost" ? "lost" : "switched";
  return { ...next, provider: kind === "lost" ? call.provider : provider, trouble: { kind, provider, reason, attempt } };
}

/** Add an event from the call's own subscription to its lines. */
function happened(call, event, fresh) {
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
      const { tool, time } = event;
      return insert(call, { ...identity(call, event, "tool-called"), place: time, tool, arguments: event.arguments }, fresh);
    }
    case "tool-returned": {
      const { tool, time, outcome, detail, seconds } = event;
      return insert(call, { ...identity(call, event, "tool-returned"), place: time, tool, outcome, detail, seconds }, fresh);
    }
    case "agent-interrupted": {
      const { time, heard, generated } = event;
      return insert(call, { ...identity(call, event, "interrupted"), place: time, heard, generated }, fresh);
    }
    case "agent-trouble":
      return insert(call, { ...identity(call, event, "trouble"), place: event.time, reason: event.reason }, fresh);
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
    case "dtmf": {
      const last = call.lines.at(-1);
      const line = { ...identity(call, event, "dtmf"), track: event.track, speaker: call.speakers[event.track], digits: event.digit };
      if (last?.kind !== "dtmf" || last.track !== event.track || atMs - last.atMs > DTMF_TOGETHER_MS) return insert(call, line, fresh);
      return replaceLast(call, { ...line, place: last.place, digits: last.digits + event.digit });
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
      return repeat ? replaceLast(call, { ...line, place: last.place }) : insert(call, line, fresh);
    }
    default: // of a newer hub: it counts, so that the lines after it are not taken for lines after a hole, and shows nothing
      return call;
  }
}

function identity(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** A line that comes from no event of the call: a remark of the page itself. */
function note(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}:${kind}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** What the list shows of an interim or a final. */
function newest({ utterance, track, speaker, text, at }, settled) {
  return { utterance, track, speaker, text, settled, atMs: milliseconds(at) };
}

/** The newest words, when those of one utterance no longer count. */
function without(call, utterance) {
  if (call.latest?.utterance !== utterance) return call.latest;
  const last = call.lines.findLast((line) => line.kind === "final" && !line.past);
  return last ? { utterance: null, track: last.track, speaker: last.speaker, text: last.text, settled: true, atMs: last.atMs } : null;
}

/** Insert a line at its place in call time. When people overlap, an utterance that began earlier may end, and arrive, later. */
function insert(call, line, fresh) {
  let lines = call.lines;
  if (!fresh.has(lines)) {
    lines = [...lines];
    fresh.add(lines);
  }
  let at = lines.length;
  while (at > 0 && lines[at - 1].place > line.place && !lines[at - 1].past && lines[at - 1].kind !== "restarted") at -= 1;
  lines.splice(at, 0, line);
  const most = call.depth === "full" ? MAX_LINES : TAIL_LINES;
  // Cut a tenth at once: cutting the front for every line would cost more than everything else here.
  if (lines.length <= most * 1.1) return { ...call, lines };
  lines.splice(0, lines.length - most);
  return { ...call, lines, since: null };
}

function replaceLast(call, line) {
  return { ...call, lines: [...call.lines.slice(0, -1), line] };
}

/** The tracks on which somebody is speaking at `nowMs` of the hub's clock. */
export function speaking(call, nowMs) {
  const tracks = new Set();
  if (call.live) for (const each of Object.values(call.open)) if (nowMs - milliseconds(each.at) < SPEAKING_MS) tracks.add(each.track);
  return tracks;
}

/** How long the call has lasted, in seconds: the time since its start while it is live, then its media clock. Null when unknown. */
export function lasted(call, nowMs) {
  if (call.duration !== null) return Math.max(call.duration, call.heardSeconds);
  if (call.startedAtMs === null || !call.live) return call.known ? null : call.heardSeconds || null;
  return Math.max(0, (nowMs - call.startedAtMs) / 1000, call.heardSeconds);
}

/** Whether something is missing in the record, as far as the hub knows, by a call or by one of its lines. */
export function amiss({ completeness }) {
  return completeness !== null && completeness !== undefined && completeness.state !== "complete";
}

/** Whether it is certain that the record of an ended call is complete and has no words. */
export function wordless(call) {
  if (call.live || !call.known || call.latest !== null || call.completeness?.state !== "complete") return false;
  return call.utterances === 0 || (call.since === 0 && call.epoch === call.head.epoch && call.offset >= call.head.offset);
}

/** An event's `at` in Unix milliseconds; null if it has none. */
export function milliseconds(at) {
  const ms = at ? Date.parse(at) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
