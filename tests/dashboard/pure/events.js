/** The hub's events as tests write them, for one call unless told otherwise. */

export const CALL = "CA" + "1".repeat(32);
/** How whole the record is of a call of which nothing is missing. */
export const COMPLETE = {
  state: "complete",
  summary: "complete",
  untranscribedSeconds: 0,
  lostPercent: 0,
  unheard: null,
  wordsMissing: false,
  reason: null,
};

export const EPOCH = "epoch-one";

export function at(seconds) {
  return new Date(Date.UTC(2026, 10, 21, 10, 0, 0) + seconds * 1000).toISOString();
}

function durable(type, offset, more) {
  return { type, callSid: CALL, epoch: EPOCH, offset, at: at(offset), ...more };
}

export const started = (offset = 1, more = {}) =>
  durable("call-started", offset, {
    from: "+14155550123",
    to: "+14155550100",
    direction: "inbound",
    tracks: ["inbound", "outbound"],
    speakers: { inbound: "caller", outbound: "agent" },
    parameters: {},
    streamSid: "MZ1",
    transcriber: { provider: "local", model: "tiny-en" },
    ...more,
  });

export const final = (offset, text, start = offset, end = start + 1, track = "inbound", more = {}) =>
  durable("final", offset, {
    utterance: `${track}-${offset}`,
    revision: 9,
    track,
    speaker: track === "inbound" ? "caller" : "agent",
    text,
    start,
    end,
    words: [],
    ...more,
  });

export const note = (offset, end, summary, more = {}) =>
  durable("note", offset, { model: "a-model", ended: end, summary, nextSteps: [], openQuestions: [], ...more });

export const streamError = (offset, reason) => durable("stream-error", offset, { streamSid: "MZ1", reason });

export const interim = (utterance, text, start = 0, end = start + 1, track = "inbound", more = {}) => ({
  type: "interim",
  callSid: CALL,
  at: at(end),
  utterance,
  revision: 1,
  track,
  speaker: "caller",
  text,
  start,
  end,
  ...more,
});

export const gap = (offset, start, end, more = {}) =>
  durable("gap", offset, { track: "inbound", start, end, reason: "no stream", ...more });
export const dtmf = (offset, digit, more = {}) => durable("dtmf", offset, { digit, track: "inbound", ...more });
export const lost = (offset, attempt = 1) => durable("transcriber-lost", offset, { provider: "local", reason: "it broke", attempt });
export const restored = (offset) => durable("transcriber-restored", offset, { provider: "local", reason: "back", attempt: 1 });
export const doubted = (offset) => durable("words-doubted", offset, { track: "inbound", reason: "not English" });
export const switched = (offset) => durable("transcriber-switched", offset, { provider: "deepgram", reason: "a bad key", attempt: 0 });
export const toolCalled = (offset, more = {}) =>
  durable("tool-called", offset, { invocation: "call_1", tool: "book", arguments: { day: "2026-12-01", seats: 2 }, time: offset, ...more });
export const toolReturned = (offset, outcome, detail, more = {}) =>
  durable("tool-returned", offset, { invocation: "call_1", tool: "book", outcome, detail, time: offset, seconds: 0.42, ...more });
export const agentTrouble = (offset, reason) => durable("agent-trouble", offset, { time: offset, reason });
export const interrupted = (offset) => durable("agent-interrupted", offset, { time: offset, heard: 1.24, generated: 3.5 });
export const condition = (offset, text, more = {}) =>
  durable("condition-changed", offset, { completeness: { ...COMPLETE, state: "incomplete", summary: text, ...more } });
export const statistics = (figures, offset) =>
  offset === undefined ? { type: "statistics", callSid: CALL, at: at(5), figures } : durable("statistics", offset, { figures });
export const ended = (offset, more = {}) =>
  durable("call-ended", offset, { reason: "completed", duration: 60, completeness: COMPLETE, audio: {}, ...more });

export const subscribed = (offset = 0, more = {}) => ({
  type: "subscribed",
  callSid: CALL,
  epoch: EPOCH,
  offset,
  whole: true,
  at: at(0),
  ...more,
});
export const watching = (depth, callSid = CALL) => ({ type: "watching", callSid, depth });
export const summary = (more = {}) => ({
  callSid: CALL,
  live: true,
  startedAt: at(1),
  endedAt: null,
  from: "+14155550123",
  to: "+14155550100",
  direction: "inbound",
  speakers: { inbound: "caller", outbound: "agent" },
  transcriber: { provider: "local", model: "tiny-en" },
  utterances: 0,
  reason: null,
  duration: null,
  completeness: COMPLETE,
  epoch: EPOCH,
  offset: 1,
  ...more,
});
export const listed = (...calls) => ({ type: "calls", at: at(0), calls });

export const steered = (offset, action, state, more = {}) => durable("steered", offset, { order: "o1", action, state, by: "ada", time: offset, ...more });
