/**
 * Sentences for what happened in a call, and for the state of the connection. Pure.
 */

import { amiss, MAX_LINES } from "./call.js";
import { isolated, isolating } from "./foreign.js";
import { clock, counted, lasting, phone, stamp } from "./format.js";

const ENDS = {
  completed: "The call ended",
  "stream-lost": "The call's audio stopped coming and the call was given up",
  "hub-stopping": "The hub was stopped, and the transcript with it,",
  failed: "The hub failed on this call",
  "agent-lost": "The agent was lost and the caller told so",
  "agent-limit": "The agent's time was up",
  "agent-hung-up": "The agent hung up",
  transferred: "The agent passed the caller on",
};

/** Of words that were on the screen when the hub was restarted, and never became final. */
const UNFINISHED = "not finished when the hub was restarted";

const OUTCOMES = { result: "answered", refused: "refused", failed: "failed", timeout: "took too long" };

/** The sentence for a line that nobody spoke: a line of call.js of any kind but `final`. */
export function sentence(line) {
  switch (line.kind) {
    case "started":
      return begun(line);
    case "gap":
      return isolating`${line.speaker} was not transcribed from ${clock(line.start)} to ${clock(line.end)}: ${line.reason}.`;
    case "dtmf":
      return isolating`${line.speaker} pressed ${[...line.digits].join(" ")}`;
    case "tool-called":
      return `The agent uses ${isolated(line.tool)}${listed(line.arguments)}.`;
    case "tool-returned":
      return isolating`${line.tool} ${OUTCOMES[line.outcome] ?? line.outcome} after ${line.seconds.toFixed(1)} s: ${line.detail}`;
    case "interrupted":
      return `The agent was interrupted: ${line.heard.toFixed(1)} of ${line.generated.toFixed(1)} s had been heard.`;
    case "trouble":
      return isolating`The agent's model ${line.reason}.`;
    case "recording-started":
      return "The call is recorded.";
    case "recording-paused":
      return "The recording is paused.";
    case "recording-resumed":
      return "The recording goes on.";
    case "recording-failed":
      return isolating`Nothing is recorded: ${line.reason}.`;
    case "recording-erased":
      return isolating`The recording is gone: ${line.reason}.`;
    case "stream-error":
      return isolating`Twilio says that an audio stream of this call failed: ${line.reason}.`;
    case "lost":
      return line.attempt
        ? isolating`Lost ${line.provider}, trying again (${counted(line.attempt, "attempt")} so far): ${line.reason}.`
        : isolating`${line.provider} stopped, and nobody transcribes this call now: ${line.reason}.`;
    case "restored":
      return `${line.provider} transcribes again${line.attempt > 1 ? ` after ${counted(line.attempt, "attempt")}` : ""}.`;
    case "switched":
      return isolating`From here on ${line.provider} transcribes: ${line.reason}.`;
    case "ended":
      return `${ENDS[line.reason] ?? isolating`The call ended (${line.reason})`} after ${clock(line.duration)}.${line.completeness ? isolating` The record: ${line.completeness.summary}.` : ""}`;
    case "doubted":
      return isolating`What ${line.speaker} said may be written wrong: ${line.reason}.`;
    case "condition":
      return isolating`The record so far: ${line.completeness.summary}.`;
    case "restarted":
      return "The hub was restarted. What stands above is from before; it is only on this page now.";
    case "beginning-lost":
      return "This call is so long that the hub no longer keeps its beginning.";
    case "missing":
      return "Lines are missing here: the hub no longer keeps what was said while this page was away.";
    default:
      return "";
  }
}

/** A tool's arguments as people write them. */
function listed(named) {
  const parts = named !== null && typeof named === "object" ? Object.entries(named) : [];
  return parts.map(([name, value], at) => (at ? ", " : ": ") + isolating`${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join("");
}

function begun(line) {
  const who = line.model ? `${line.provider} (${line.model})` : line.provider;
  if (line.agent) {
    const numbers = [line.from && isolating`from ${phone(line.from)}`, line.to && isolating`to ${phone(line.to)}`].filter(Boolean).join(" ");
    return `Call ${numbers ? `${numbers} ` : ""}began; the agent ${isolated(line.agent)} answers with ${who}.`;
  }
  if (line.again) return `Another audio stream of this call began; ${who} transcribes.`;
  const ends = [line.from && isolating`from ${phone(line.from)}`, line.to && isolating`to ${phone(line.to)}`].filter(Boolean).join(" ");
  const sides = line.tracks.length === 1 ? `, only the ${line.tracks[0]} side` : "";
  return `Call ${ends ? `${ends} ` : ""}began; ${who} transcribes${sides}.`;
}

/** A line as it is copied: for spoken lines the same text as in the hub's transcript.txt, for others a sentence in brackets. */
export function copied(line) {
  return line.kind === "final" ? isolating`[${stamp(line.start)}] ${line.speaker}: ${marked(line)}` : `[${sentence(line)}]`;
}

/** A spoken line's text with a mark if there was more to say, or if nobody heard it. */
function marked(line) {
  const { text } = line;
  if (line.unfinished) return `${text} … (${UNFINISHED})`;
  const whole = line.cut ? `${text} … (the model stopped here)` : line.interrupted ? `${text} —` : text;
  return line.unspoken ? `(not spoken) ${whole}` : whole;
}

/** What the list shows about a call's provider; empty if all is well, or if the record's own sentence says it. */
export function trouble(call) {
  if (!call.live || call.trouble === null) return "";
  const { kind, provider, attempt } = call.trouble;
  if (kind === "lost" && !attempt && amiss(call)) return "";
  if (kind === "switched") return `now ${provider}`;
  return `${provider} ${attempt ? "lost" : "stopped"}`;
}

/** The name of a call: the far party's number, or its callSid if there is no number. */
export function title(call, short) {
  const number = call.direction === "outbound" || call.direction === "outbound-api" ? (call.to ?? call.from) : (call.from ?? call.to);
  return number ? phone(number) : short(call.sid);
}

/** The sentence below a call's lines: why there are none, or why some are missing. Empty if neither is the case. */
export function waiting(call) {
  if (call.erased !== null) return isolating`The hub says: ${call.erased}. It keeps nothing of the call but that.`;
  if (call.problem !== null) return isolating`The call cannot be fetched at the moment: ${call.problem}. This page goes on asking.`;
  const silent = call.lines.length === 0 && Object.keys(call.open).length === 0;
  if (!call.known) {
    return silent
      ? "The hub does not know this call: it has not begun yet, or it ended too long ago to be kept. If it begins, it appears here."
      : "The hub no longer knows this call: it was restarted, or the call ended too long ago. These lines are only on this page now; copy what you need.";
  }
  if (silent && !call.following) return "Fetching the transcript…";
  if (call.live && call.completeness?.state === "not-transcribed") return "Nobody transcribes this call now. New words do not appear here.";
  if (silent || (call.live && call.latest === null)) return call.live ? "No words yet. They appear here as they are said." : "";
  return call.lines.length >= MAX_LINES ? `Only the last ${MAX_LINES} lines are shown here; the download has all of them.` : "";
}

/** The connection in one sentence. It must not change while the state does not, because a screen reader reads each change aloud. */
export function connection(link) {
  switch (link.phase) {
    case "open":
      return "Connected";
    case "connecting":
      return "Connecting…";
    case "offline":
      return link.code === 4408 ? "This page fell behind and is catching up." : "Offline";
    case "token":
      return "This hub wants a token.";
    default:
      return "The hub does not let this page in.";
  }
}

/** How long the page has been offline and when it tries again. */
export function outage(link, nowMs) {
  const wait = link.retryAtMs === null ? 0 : Math.ceil((link.retryAtMs - nowMs) / 1000);
  const next = wait > 0 ? `Trying again in ${wait} s.` : "Trying again now.";
  return `No connection to the hub for ${lasting(nowMs - link.sinceMs)}. What you see may be out of date. ${next}`;
}
