/**
 * One call as the page knows it: what it is, who speaks, and its lines in the order of call time. Pure; a call is never changed.
 *
 * Two subscriptions may tell the same event: the feed of all calls and the one of the call itself. A call's own subscription is in order
 * and without holes; so whatever it has had is a repeat, and a start, an end or a provider's trouble from further on is the feed's, which
 * may change what the list says but never a transcript.
 */

/** Lines kept of a call that is open on screen: four hours of dense talk. Older ones are in the download. */
export const MAX_LINES = 5000;

/** Lines kept of a call that only the list shows. */
export const TAIL_LINES = 40;

/** Text kept of a call for the list's filter: about 25 minutes of talk. */
export const RECENT_CHARACTERS = 16_384;

/** Keys pressed within this of each other are one entry. */
const DTMF_TOGETHER_MS = 5000;

/** Who said nothing new for so long has stopped speaking, even if the provider has not closed the utterance yet. */
const SPEAKING_MS = 2500;

const LIFE = new Set(["call-started", "call-ended"]);
const PROVIDER = new Set(["transcriber-lost", "transcriber-restored", "transcriber-switched"]);

/** What only a call's own subscription tells. */
const TALK = new Set(["final", "gap", "dtmf"]);

/** A call of which nothing is known but its callSid. */
export function unheard(sid) {
  return {
    sid,
    /** Whether the hub knows it, as far as we were told. */
    known: true,
    live: true,
    startedAtMs: null,
    endedAtMs: null,
    from: null,
    to: null,
    direction: null,
    speakers: { inbound: "caller", outbound: "callee" },
    provider: null,
    model: null,
    /** What is wrong with the provider, or was changed: `{kind: "lost" | "switched", provider, reason, attempt}`; null when nothing. */
    trouble: null,
    reason: null,
    /** Seconds of call time, once ended. */
    duration: null,
    transcript: null,
    /** "tail" for the list, "full" while it is open on screen. */
    depth: "tail",
    /** Whether the call's own subscription is answered and runs. */
    following: false,
    epoch: null,
    /** The last durable event that its subscription gave; null when it has to start anew. */
    offset: null,
    /** The offset after which `lines` begin, 0 for all of them; null when some were dropped. */
    since: null,
    /** How far the topic is, by the hub's list; tells where a tail begins. */
    head: { epoch: null, offset: 0 },
    lifeOffset: 0,
    providerOffset: 0,
    /** What was said and what happened, in the order of call time. */
    lines: [],
    /** Utterances that are not over, by id. */
    open: {},
    /** The newest words: `{track, speaker, text, settled, atMs}`. */
    latest: null,
    /** The furthest second of call time that any line reached. */
    heardSeconds: 0,
    /** Lower-case words for the filter. */
    recent: "",
  };
}

export function watched(call, depth) {
  if (call.depth === depth) return call;
  // Of a young call the tail is the whole. Of another the lines at hand stay until all of them come.
  if (depth === "full") return { ...call, depth, offset: call.since === 0 ? call.offset : null };
  return call.lines.length <= TAIL_LINES ? { ...call, depth } : { ...call, depth, lines: call.lines.slice(-TAIL_LINES), since: null };
}

export function subscribed(call, event, fresh) {
  const next = { ...call, known: true, following: true, epoch: event.epoch, offset: event.offset, open: {} };
  if (call.epoch !== null && call.epoch !== event.epoch) {
    next.since = event.offset;
    next.heardSeconds = 0;
    next.latest = null;
    // The hub starts counting anew, so it has lost what we still have. A reader's lines are not taken away; they are told apart.
    const before = call.depth === "full" ? call.lines : [];
    next.lines = before.some((line) => line.kind === "final")
      ? [...before.map((line) => ({ ...line, past: true })), note(next, event, "restarted")]
      : [];
    return next;
  }
  if (call.offset === null || event.offset < call.offset) {
    next.lines = call.lines.filter((line) => line.past || line.kind === "restarted"); // all the rest comes again
    next.since = event.offset;
    next.heardSeconds = 0;
    next.recent = "";
    if (!event.whole || (call.depth === "full" && event.offset > 0)) return insert(next, note(next, event, "beginning-lost"), fresh);
  } else if (event.offset > call.offset) {
    return insert(next, note(next, event, "missing"), fresh);
  }
  return next;
}

export function interim(call, event) {
  if (!call.following || (call.open[event.utterance]?.revision ?? 0) > event.revision) return call;
  return {
    ...call,
    open: { ...call.open, [event.utterance]: event },
    latest: { track: event.track, speaker: event.speaker, text: event.text, settled: false, atMs: milliseconds(event.at) },
    heardSeconds: Math.max(call.heardSeconds, event.end),
  };
}

export function durable(call, event, fresh) {
  const next = status(call, event);
  if (!call.following || call.offset === null || event.epoch !== call.epoch || event.offset <= call.offset) return next;
  if (event.offset > call.offset + 1 && !TALK.has(event.type)) return next; // the feed's: our own subscription will tell it in its turn
  const torn = event.offset > call.offset + 1;
  const here = { ...next, offset: event.offset };
  return happened(torn ? insert(here, note(here, event, "missing"), fresh) : here, event, fresh);
}

/** What the list says of a call: told by whichever subscription is first. */
function status(call, event) {
  const same = event.epoch === call.head.epoch;
  const head = !same || event.offset > call.head.offset ? { epoch: event.epoch, offset: event.offset } : call.head;
  const next = head === call.head ? call : { ...call, head, ...(same ? {} : { lifeOffset: 0, providerOffset: 0, trouble: null }) };
  if (LIFE.has(event.type) && event.offset > next.lifeOffset) {
    return event.type === "call-started" ? started(next, event) : ended(next, event);
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
    provider: event.transcriber?.provider ?? call.provider,
    model: event.transcriber?.model ?? call.model,
    reason: null,
    duration: null,
    transcript: null,
    lifeOffset: event.offset,
  };
}

function ended(call, event) {
  const { reason, duration, transcript } = event;
  return { ...call, live: false, endedAtMs: milliseconds(event.at), reason, duration, transcript, lifeOffset: event.offset };
}

function provided(call, event) {
  const { provider, reason, attempt } = event;
  const next = { ...call, providerOffset: event.offset };
  if (event.type === "transcriber-restored") return { ...next, provider, trouble: null };
  const kind = event.type === "transcriber-lost" ? "lost" : "switched";
  return { ...next, provider: kind === "lost" ? call.provider : provider, trouble: { kind, provider, reason, attempt } };
}

/** Put an event of the call's own subscription into its lines. */
function happened(call, event, fresh) {
  const atMs = milliseconds(event.at);
  switch (event.type) {
    case "final": {
      const { [event.utterance]: _, ...open } = call.open;
      const heardSeconds = Math.max(call.heardSeconds, event.end);
      if (!event.text) return { ...call, open }; // the provider took its interims back
      const { track, speaker, text, start, end, confidence = null, words = [] } = event;
      const recent = `${call.recent} ${text.toLowerCase()}`.slice(-RECENT_CHARACTERS);
      const latest = { track, speaker, text, settled: true, atMs };
      const line = { ...identity(call, event, "final"), place: start, track, speaker, text, start, end, confidence, words };
      return insert({ ...call, open, heardSeconds, recent, latest }, line, fresh);
    }
    case "gap": {
      const { track, start, end, reason } = event;
      const line = { ...identity(call, event, "gap"), place: start, track, speaker: call.speakers[track], start, end, reason };
      return insert({ ...call, heardSeconds: Math.max(call.heardSeconds, end) }, line, fresh);
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
      const { from = null, to = null, transcriber } = event;
      const line = { ...identity(call, event, "started"), from, to, ...transcriber, tracks: event.tracks ?? [], again };
      return insert(call, line, fresh);
    }
    case "call-ended": {
      const { reason, duration, transcript } = event;
      const line = { ...identity(call, event, "ended"), place: Math.max(duration, call.heardSeconds), reason, duration, transcript };
      return insert({ ...call, open: {} }, line, fresh);
    }
    default: {
      const { provider, reason, attempt } = event;
      const kind = event.type.replace("transcriber-", "");
      const line = { ...identity(call, event, kind), provider, reason, attempt };
      const last = call.lines.at(-1);
      // Ten tries to reconnect are one sentence that counts, not ten sentences.
      const repeat = kind === "lost" && last?.kind === "lost" && last.provider === provider && attempt > 0;
      return repeat ? replaceLast(call, { ...line, place: last.place }) : insert(call, line, fresh);
    }
  }
}

function identity(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** A line that no event of the call made: what the page itself has to say at this place. */
function note(call, event, kind) {
  return { id: `${event.epoch}:${event.offset}:${kind}`, kind, place: call.heardSeconds, atMs: milliseconds(event.at) };
}

/** Put a line where it was said: people overlap, and then the one who began earlier may end later. */
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
  // A tenth at once: cutting the front for every line would cost more than all else here.
  if (lines.length <= most * 1.1) return { ...call, lines };
  lines.splice(0, lines.length - most);
  return { ...call, lines, since: null };
}

function replaceLast(call, line) {
  return { ...call, lines: [...call.lines.slice(0, -1), line] };
}

/** The tracks on which somebody speaks now, by the hub's clock. */
export function speaking(call, nowMs) {
  const tracks = new Set();
  if (call.live) for (const each of Object.values(call.open)) if (nowMs - milliseconds(each.at) < SPEAKING_MS) tracks.add(each.track);
  return tracks;
}

/** How long the call has lasted, in seconds: its media clock once it ended, until then the time since its start. Null when unknown. */
export function lasted(call, nowMs) {
  if (call.duration !== null) return Math.max(call.duration, call.heardSeconds);
  if (call.startedAtMs === null || !call.live) return call.known ? null : call.heardSeconds || null;
  return Math.max(0, (nowMs - call.startedAtMs) / 1000, call.heardSeconds);
}

/** Unix milliseconds of an event's `at`; null when there is none. */
export function milliseconds(at) {
  const ms = at ? Date.parse(at) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
