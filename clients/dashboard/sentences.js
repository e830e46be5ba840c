/**
 * Sentences for what happened in a call, and for the state of the connection, in the reader's language. Pure.
 */

import { recordSentence } from "./attention.js";
import { amiss } from "./call.js";
import { MAX_LINES } from "./call_lines.js";
import { isolated, isolating } from "./foreign.js";
import { clock, lasting, phone, stamp } from "./format.js";
import { say } from "./language.js";
import { noteSentence } from "./note.js";

/** How calls end; what is not here is a reason of a newer hub. */
const ENDS = new Set(["completed", "stream-lost", "hub-stopping", "failed", "agent-lost", "agent-limit", "agent-hung-up", "transferred", "supervisor-hung-up"]);

const STEERED = new Set(["say", "transfer", "take-over", "hang-up"]);

const OUTCOMES = new Set(["result", "refused", "failed", "timeout"]);

/** From this many keys on, what was pressed may be a number that is nobody's business: it is shown when it is asked for. */
const MASKED_KEYS = 4;

/** Kinds of lines whose text has at most a reason. */
const PLAIN = new Set([
  "trouble",
  "recording-started",
  "recording-paused",
  "recording-resumed",
  "recording-failed",
  "recording-erased",
  "stream-error",
  "switched",
  "restarted",
  "beginning-lost",
  "missing",
  "watchword-wrong",
  "watchword-over",
]);

/** The sentence for a line that nobody spoke: a line of call_lines.js of any kind but `final`. */
export function sentence(line) {
  if (PLAIN.has(line.kind)) return say(`line.${line.kind}`, line);
  switch (line.kind) {
    case "started":
      return begun(line);
    case "gap":
      return say("line.gap", { who: line.speaker, start: clock(line.start), end: clock(line.end), reason: line.reason });
    case "dtmf":
      if (masks(line)) return say("line.dtmf-many", { who: line.speaker, n: line.digits.length });
      return say("line.dtmf", { who: line.speaker, keys: [...line.digits].join(" ") });
    case "tool":
      return tool(line);
    case "note":
      return noteSentence(line);
    case "watchword":
      return line.speaker ? say("line.watchword-of", { ...line, who: line.speaker }) : say("line.watchword", line);
    case "interrupted":
      return say(line.count > 1 ? "line.interrupted-again" : "line.interrupted", {
        n: line.count,
        heard: line.heard.toFixed(1),
        generated: line.generated.toFixed(1),
      });
    case "lost":
      return line.attempt
        ? say("line.lost-trying", { provider: line.provider, attempts: say("line.attempts", { n: line.attempt }), reason: line.reason })
        : say("line.stopped", line);
    case "restored":
      if (line.attempt <= 1) return say("line.restored", line);
      return say("line.restored-after", { provider: line.provider, attempts: say("line.attempts", { n: line.attempt }) });
    case "ended": {
      const how = ENDS.has(line.reason) ? say(`end.${line.reason}`) : say("end.other", line);
      if (!line.completeness) return say("line.ended", { how, time: clock(line.duration) });
      return say("line.ended-record", { how, time: clock(line.duration), record: recordSentence(line.completeness) });
    }
    case "steered":
      return steered(line);
    case "doubted":
      return say("line.doubted", { who: line.speaker, reason: line.reason });
    case "condition":
      return say("line.condition", { record: recordSentence(line.completeness) });
    default:
      return "";
  }
}

/** Whether the keys of a line are shown only when they are asked for. */
export function masks(line) {
  return line.kind === "dtmf" && line.digits.length >= MASKED_KEYS;
}

/** What became of a tool call, in a word. */
export function outcome(line) {
  if (line.outcome === null) return say("line.tool-runs");
  return OUTCOMES.has(line.outcome) ? say(`outcome.${line.outcome}`) : isolated(line.outcome);
}

/** What somebody who steers the agent wants, or what became of it. */
function steered(line) {
  const { by, text, to, reason, state } = line;
  if (!STEERED.has(line.action)) return "";
  const wanted = say(`steered.${line.action}`, { by, text: text ?? "", to: to ?? "" });
  if (state === "asked") return wanted;
  if (state === "refused") return `${wanted} ${say("steered.refused", { reason })}`;
  const what = say(`steer.${line.action}`);
  if (state === "failed") return say("steered.failed", { by, what, reason });
  return reason ? say("steered.done-but", { by, what, reason }) : say("steered.done", { by, what });
}

/** A tool call in a line: what was asked for, and what came of it. */
function tool(line) {
  const parts = line.arguments !== null && typeof line.arguments === "object" ? listed(line.arguments) : "";
  const asked = parts ? say("line.tool-arguments", { tool: line.tool, arguments: parts }) : say("line.tool-called", line);
  if (line.outcome === null) return asked;
  const { seconds, detail } = line;
  const came = say("line.tool-returned", { tool: line.tool, outcome: outcome(line), seconds: seconds.toFixed(1), detail });
  return line.arguments === null ? came : `${asked} ${came}`;
}

/** A tool's arguments as people write them. */
function listed(named) {
  return Object.entries(named).map(([name, value]) => isolating`${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
}

function begun(line) {
  const who = line.model ? `${line.provider} (${line.model})` : line.provider;
  const ends = [line.from && say("pane.from", { number: phone(line.from) }), line.to && say("pane.to", { number: phone(line.to) })];
  const told = ends.filter(Boolean).join(" ");
  const numbers = (text) => text.replace("{numbers}", told && `${told} `);
  if (line.agent) return numbers(say("line.began-agent", { numbers: "{numbers}", agent: line.agent, who }));
  if (line.again) return say("line.began-again", { who });
  if (line.tracks.length === 1) return numbers(say("line.began-one-side", { numbers: "{numbers}", who, track: line.tracks[0] }));
  return numbers(say("line.began", { numbers: "{numbers}", who }));
}

/** A line as it is copied: for spoken lines the same text as in the hub's transcript.txt, for others a sentence in brackets. */
export function copied(line) {
  return line.kind === "final" ? isolating`[${stamp(line.start)}] ${line.speaker}: ${marked(line)}` : `[${sentence(line)}]`;
}

/** A spoken line's text with a mark if there was more to say, or if nobody heard it. */
function marked(line) {
  const { text } = line;
  if (line.unfinished) return `${text} … (${say("log.unfinished")})`;
  const whole = line.cut ? `${text} … (${say("log.cut")})` : line.interrupted ? `${text} —` : text;
  return line.unspoken ? `(${say("log.unspoken")}) ${whole}` : whole;
}

/** What the list shows about a call's provider; empty if all is well, or if something else says it. */
export function trouble(call) {
  if (!call.live || call.trouble === null) return "";
  const { kind, provider, attempt } = call.trouble;
  if (kind === "switched") return say("list.now-by", { provider });
  return attempt || amiss(call) ? "" : say("list.stopped", { provider });
}

/** The name of a call: the far party's number, or its callSid if there is no number. */
export function title(call, short) {
  const number = call.direction === "outbound" || call.direction === "outbound-api" ? (call.to ?? call.from) : (call.from ?? call.to);
  return number ? phone(number) : short(call.sid);
}

/** The sentence below a call's lines: why there are none, or why some are missing. Empty if neither is the case. */
export function waiting(call) {
  if (call.erased !== null) return say("wait.erased", { message: call.erased });
  if (call.problem !== null) return say("wait.problem", call);
  const silent = call.lines.length === 0 && Object.keys(call.open).length === 0;
  if (!call.known) return say(silent ? "wait.unknown" : "wait.forgotten");
  if ((silent && !call.following) || call.replay !== null) return say("wait.fetching");
  if (call.live && call.completeness?.state === "not-transcribed") return say("wait.nobody");
  if (silent || (call.live && call.latest === null)) return call.live ? say("wait.no-words") : "";
  return call.lines.length >= MAX_LINES ? say("wait.only-last", { lines: MAX_LINES }) : "";
}

/** The connection in one sentence. It must not change while the state does not, because a screen reader reads each change aloud. */
export function connection(link) {
  switch (link.phase) {
    case "open":
    case "connecting":
    case "token":
      return say(`link.${link.phase}`);
    case "offline":
      return say(link.code === 4408 ? "link.behind" : "link.offline");
    default:
      return say("link.refused");
  }
}

/** How long the page has been offline and when it tries again. */
export function outage(link, nowMs) {
  const wait = link.retryAtMs === null ? 0 : Math.ceil((link.retryAtMs - nowMs) / 1000);
  const next = wait > 0 ? say("link.retry-in", { seconds: wait }) : say("link.retry-now");
  return say("link.outage", { time: lasting(nowMs - link.sinceMs), next });
}
