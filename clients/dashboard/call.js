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

import { attended, calm } from "./attention.js";
import { abandoned, happened, insert, milliseconds, newest, note, TAIL_LINES } from "./call_lines.js";
import { recorded, RECORDING } from "./recording.js";

/** A call with more events than this is not shown from its beginning while it is fetched: its newest lines come first. */
export const LONG_REPLAY = 100;

/** A person with no new words for this long has stopped speaking, even if the provider has not closed the utterance yet. */
const SPEAKING_MS = 2500;

const LIFE = new Set(["call-started", "call-ended", "condition-changed"]);
const PROVIDER = new Set(["transcriber-lost", "transcriber-restored", "transcriber-switched"]);

/** Events that concern a call as a whole: they come from the list of all calls, too. All others come from a call's own subscription only. */
const WHOLE_CALL = new Set([...LIFE, ...PROVIDER, ...RECORDING, "statistics", "stream-error", "alert", "alert-withdrawn", "note"]);

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
    /** Who answers, and from which queue the call came, as the stream's parameters say; null if they do not. */
    person: null,
    queue: null,
    provider: null,
    model: null,
    /** The provider's trouble: `{kind: "lost" | "switched", provider, reason, attempt}`; null when all is well. */
    trouble: null,
    reason: null,
    /** Seconds of call time, once the call has ended. */
    duration: null,
    /** How whole the record is, as the hub says: `{state, summary, …}`; null while unknown. */
    completeness: null,
    /** Why it needs a person's attention: see attention.js. */
    attention: calm(),
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
    /** "tail" for the list, "full" while it is open on screen; "opening" until its newest lines are there, which come before all others. */
    depth: "tail",
    /** Whether the hub has confirmed the call's own subscription and it is still running. */
    following: false,
    epoch: null,
    /** The offset of the last durable event from the call's own subscription; null when that must start from the beginning. */
    offset: null,
    /** While a long call is fetched: `{to, shown}`, the offset that it goes up to, and the newest lines, which stay on screen; else null. */
    replay: null,
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
    /** How often a caller has interrupted the agent. */
    interruptions: 0,
    /** The latest words in the spelling of words.js, for the list's search. */
    recent: "",
  };
}

export function watched(call, depth) {
  if (call.depth === depth) return call;
  if (call.replay !== null) return watched({ ...call, replay: null }, depth);
  // The tail of a young call is the whole call. An older call keeps the lines it has until all of them come.
  if (depth === "full") return { ...call, depth, offset: call.since === 0 ? call.offset : null };
  return call.lines.length <= TAIL_LINES ? { ...call, depth } : { ...call, depth, lines: call.lines.slice(-TAIL_LINES), since: null };
}

/** Whether the newest lines of a call that is being opened have come: then all others can. */
export function opened(call) {
  return call.depth === "opening" && call.offset !== null && call.offset >= call.head.offset;
}

export function subscribed(call, event, fresh) {
  if (call.depth === "opening" && call.offset === null && event.newest - event.offset > LONG_REPLAY) {
    // Nobody has told the page yet how long this call is: it asks for the newest lines instead of all.
    return { ...call, known: true, following: true, problem: null, head: { epoch: event.epoch, offset: event.newest } };
  }
  // What is still open in the same log comes again after this answer, and what has ended meanwhile comes as a final. What a hub that died had
  // open stays until its gap says that no final will come.
  const open = call.epoch === event.epoch ? call.open : {};
  const next = { ...call, known: true, following: true, problem: null, epoch: event.epoch, offset: event.offset, open };
  if (call.epoch !== null && call.epoch !== event.epoch) {
    next.since = event.offset;
    next.heardSeconds = 0;
    next.latest = null;
    next.replay = null;
    // A new epoch is a new log: the hub has lost the events that this page still shows. A reader's lines are kept and marked as past.
    const before = call.depth === "tail" ? [] : abandoned(call).lines;
    next.lines = before.some((line) => line.kind === "final")
      ? [...before.map((line) => ({ ...line, past: true })), note(next, event, "restarted")]
      : [];
    return next;
  }
  if (call.offset === null || event.offset < call.offset) {
    next.interruptions = 0;
    next.lines = call.lines.filter((line) => line.past || line.kind === "restarted"); // all other lines come again
    next.since = event.offset;
    next.heardSeconds = 0;
    next.recent = "";
    const { newest = 0 } = event;
    next.replay = call.depth === "full" && newest - event.offset > LONG_REPLAY ? { to: newest, shown: call.lines } : null;
    if (!event.whole || (call.depth === "full" && event.offset > 0)) return insert(next, note(next, event, "beginning-lost"), fresh);
  } else if (event.offset > call.offset) {
    return insert(next, note(next, event, "missing"), fresh);
  }
  return next;
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
  const replay = next.replay !== null && event.offset < next.replay.to ? next.replay : null;
  const here = { ...next, offset: event.offset, replay };
  return happened(torn ? insert(here, note(here, event, "missing"), fresh) : here, event, fresh);
}

/** What is forgotten of a call when its log is another one. */
const ANEW = {
  lifeOffset: 0,
  providerOffset: 0,
  recordingOffset: 0,
  recording: null,
  trouble: null,
  completeness: null,
  statistics: null,
  attention: calm(),
};

/** What the list shows of a call. Whichever subscription is first may change it. */
function status(call, event) {
  const same = event.epoch === call.head.epoch;
  const head = !same || event.offset > call.head.offset ? { epoch: event.epoch, offset: event.offset } : call.head;
  const anew = same ? {} : ANEW;
  const known = head === call.head ? call : { ...call, head, ...anew };
  const attention = attended(known.attention, event);
  const next = attention === known.attention ? known : { ...known, attention };
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
    ...labels(call, event),
    provider: event.transcriber?.provider ?? call.provider,
    model: event.transcriber?.model ?? call.model,
    reason: null,
    duration: null,
    // Another transcriber begins. The hub publishes it if nobody transcribes again; what is missing in the record stays missing.
    completeness: !call.live && call.completeness?.state === "not-transcribed" ? null : call.completeness,
    lifeOffset: event.offset,
  };
}

/** Who answers and which queue it was, as the stream's parameters say. The name of a voice agent is no person. */
function labels(call, { agent = null, parameters = {} }) {
  const named = new Map(Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), String(value).trim()]));
  const person = agent === null ? named.get("agent") : null;
  return { person: person || call.person, queue: named.get("queue") || call.queue };
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
