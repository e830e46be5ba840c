/**
 * Which live calls need a person's attention, and why: the same fold as the hub's `transcript/attention.py`, and the same words. Pure. A call
 * that is over needs nobody, but it keeps its alerts.
 *
 * A reason is `{kind, about, since}`. The list of all calls, and a call's own subscription, may bring the same event, and the list's come
 * earlier. So each group of kinds has the offset that it has read up to.
 */

import { alerted, alertsSentence, listedAlerts, NO_ALERTS } from "./alerts.js";
import { say } from "./language.js";

/** The kinds of reasons, the most urgent first. */
export const KINDS = ["not-transcribed", "provider-lost", "watchword", "one-sided", "tool-failed", "audio-lost"];

/** Kinds of which a call may have several reasons, each about something else. */
const SEVERAL = new Set(["tool-failed", "watchword"]);

/** What group of kinds an event speaks of. */
const GROUPS = new Map([
  ["transcriber-lost", "provider"],
  ["transcriber-restored", "provider"],
  ["transcriber-switched", "provider"],
  ["call-started", "provider"],
  ["condition-changed", "record"],
  ["tool-returned", "tool"],
  ["alert", "watchword"],
  ["alert-withdrawn", "watchword"],
]);

/** Nobody is needed, as far as a log is read up to `offset`. */
export function calm(offset = 0) {
  return { reasons: [], alerts: NO_ALERTS, upTo: { provider: offset, record: offset, tool: offset, watchword: offset } };
}

/** What a summary says, which was made at `offset`. */
export function listedAttention(reasons, offset, alerts = null) {
  return { ...calm(offset), reasons: ordered(reasons ?? []), alerts: listedAlerts(alerts) };
}

/** The attention after an event of the call's log. The same object if nothing has changed. */
export function attended(attention, event) {
  if (event.type === "call-ended") return { ...calm(event.offset), alerts: attention.alerts };
  const group = GROUPS.get(event.type);
  if (group === undefined || event.offset <= attention.upTo[group]) return attention;
  const reasons = changed(attention.reasons, event);
  const alerts = group === "watchword" ? alerted(attention.alerts, event) : attention.alerts;
  const upTo = { ...attention.upTo, [group]: event.offset };
  return { reasons: same(reasons, attention.reasons) ? attention.reasons : reasons, alerts, upTo };
}

function changed(reasons, event) {
  const { at = "" } = event;
  switch (event.type) {
    case "transcriber-lost": // an attempt of 0 is a refusal: then the record's own condition says that nobody transcribes
      return event.attempt ? added(reasons, { kind: "provider-lost", about: event.provider, since: at }) : reasons;
    case "transcriber-restored":
    case "transcriber-switched":
    case "call-started": // another stream, and another connection to a provider
      return reasons.filter(({ kind }) => kind !== "provider-lost");
    case "tool-returned": {
      const others = reasons.filter(({ kind, about }) => kind !== "tool-failed" || about !== event.tool);
      const failed = event.outcome === "failed" || event.outcome === "timeout";
      return failed ? added(others, { kind: "tool-failed", about: event.tool, since: at }) : others;
    }
    case "alert":
      return added(reasons, { kind: "watchword", about: event.rule, since: at });
    case "alert-withdrawn": // others of the same rule may still stand
      return event.left ? reasons : reasons.filter(({ kind, about }) => kind !== "watchword" || about !== event.rule);
    default:
      return conditioned(reasons, event.completeness, at);
  }
}

function conditioned(reasons, completeness, since) {
  let next = reasons;
  for (const [kind, about] of conditions(completeness)) {
    next = about === null ? next.filter((each) => each.kind !== kind) : added(next, { kind, about, since });
  }
  return completeness.state === "not-transcribed" ? next.filter(({ kind }) => kind !== "provider-lost") : next;
}

/** What the condition of a live call's record says of each kind that it knows: what it is about, or null where all is well. */
function conditions({ summary, unheard }) {
  const sentences = summary.split("; ");
  const after = (beginning) => sentences.find((each) => each.startsWith(beginning))?.slice(beginning.length) ?? null;
  const lost = sentences.find((each) => each.endsWith(" % of the audio was lost"));
  return [
    ["not-transcribed", after("not transcribed: ")],
    ["one-sided", unheard === null ? null : sentences.includes("one side is silent") ? "silent" : "unheard"],
    ["audio-lost", lost === undefined ? null : lost.split(" ", 1)[0]],
  ];
}

function added(reasons, reason) {
  const is = (each) => each.kind === reason.kind && (!SEVERAL.has(each.kind) || each.about === reason.about);
  const known = reasons.find(is);
  if (known === undefined) return ordered([...reasons, reason]);
  // What goes on has begun when it began: only how much of it there is may have changed.
  return reasons.map((each) => (each === known ? { ...reason, since: known.since } : each));
}

function ordered(reasons) {
  return [...reasons].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
}

function same(one, other) {
  return one.length === other.length && one.every((each, at) => each.kind === other[at].kind && each.about === other[at].about);
}

/** How urgent a call is: 0 for one that needs nobody, then the more the more urgent its first reason is. */
export function urgency({ live, attention }) {
  if (!live || attention.reasons.length === 0) return 0;
  const at = KINDS.indexOf(attention.reasons[0].kind);
  return at < 0 ? 1 : KINDS.length - at + 1; // a kind of a newer hub is the least urgent
}

/** A reason in words. */
export function reasonSentence({ kind, about }) {
  if (kind === "one-sided") return say(about === "silent" ? "why.one-side-silent" : "why.one-side-unheard");
  return KINDS.includes(kind) ? say(`why.${kind}`, { about }) : `${kind}: ${about}`;
}

/** What the hub says of a record, and how the page says it. */
const RECORD = [
  [/^not transcribed: (.+)$/, "why.not-transcribed"],
  [/^incomplete: ([\d.]+) s not transcribed$/, "why.untranscribed"],
  [/^incomplete: words may be missing$/, "why.words-missing"],
  [/^(\d+) % of the audio was lost$/, "why.audio-lost"],
  [/^one side is silent$/, "why.one-side-silent"],
  [/^only one side was heard$/, "why.one-side-unheard"],
  [/^complete$/, "why.complete"],
];

/** What the hub says of how whole a record is, in the reader's language. In English it is what the hub says. */
export function recordSentence({ summary }) {
  return summary.split("; ").map(recordPart).join("; ");
}

function recordPart(sentence) {
  for (const [pattern, key] of RECORD) {
    const found = pattern.exec(sentence);
    if (found) return say(key, { about: found[1] ?? "" });
  }
  return sentence;
}

/**
 * Why a call stands out in the list: why it needs attention or, once it is over, what the watchwords found in it; and what else is missing
 * in its record. Empty if all is well.
 */
export function why(call) {
  const said = call.live ? call.attention.reasons.map(reasonSentence) : [alertsSentence(call.attention.alerts)].filter(Boolean);
  const { completeness } = call;
  const short = completeness && completeness.state !== "complete" ? completeness.summary.split("; ").map(recordPart) : [];
  return [...new Set([...said, ...short])].join("; ");
}
