/**
 * Finds calls that fit a filter, and words within a call. Pure.
 */

import { TAIL_LINES } from "./call.js";

/** Words with a lower confidence than this are marked: below one half they are more likely wrong than right. */
export const UNSURE_BELOW = 0.5;

/** Whether a call fits a filter: every word of the filter must be in a number, a name, the callSid or the latest words. */
export function fits(call, query) {
  return words(query).every((part) => {
    const digits = part.replace(/[^\d]/g, "");
    const asNumber = digits.length >= 3 && /^[\d+()./-]+$/.test(part);
    return (
      call.sid.toLowerCase().includes(part) ||
      [call.speakers.inbound, call.speakers.outbound, call.provider].some((name) => name?.toLowerCase().includes(part)) ||
      [call.from, call.to].some((number) => number?.includes(part) || (asNumber && number?.replace(/\D/g, "").includes(digits))) ||
      call.recent.includes(part) ||
      (call.latest?.text.toLowerCase().includes(part) ?? false)
    );
  });
}

/** The words of a filter, in lower case. */
export function words(query) {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

/**
 * The calls in the list's order: first live calls, the newest on top, then ended calls, the latest end on top. Words and time do not change
 * this order, so rows stay where they are until a call starts or ends. With a filter, those that fit by what the page knows, and those in
 * `found`, by callSid, which fit by what the hub knows.
 */
export function ordered(calls, query = "", found = new Map()) {
  const live = [];
  const ended = [];
  for (const call of calls) {
    if (!call.live && call.startedAtMs === null && call.head.epoch === null) continue; // only a link asked for it
    if (query && !found.has(call.sid) && !fits(call, query)) continue;
    (call.live ? live : ended).push(call);
  }
  live.sort((a, b) => (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0) || (a.sid < b.sid ? -1 : 1));
  ended.sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0) || (a.sid < b.sid ? -1 : 1));
  return { live, ended };
}

/** The latest line of a call that has a word of the filter; null if no line that the list keeps has one. */
export function latestWith(call, query) {
  const wanted = words(query);
  const has = ({ kind, text, past }) => kind === "final" && !past && wanted.some((part) => text.toLowerCase().includes(part));
  return call.lines.slice(-TAIL_LINES).findLast(has) ?? null;
}

/** The ids of the lines that contain the query, in order. Searches spoken lines only, not the page's own sentences. */
export function found(lines, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [];
  return lines.filter((line) => line.kind === "final" && line.text.toLowerCase().includes(wanted)).map((line) => line.id);
}

/**
 * A text in pieces `{text, found, unsure}` that together are the whole text. `found`: the piece matches the search, or one of several.
 * `unsure`: the provider's confidence, if it is low; otherwise null.
 */
export function passages(text, spoken = [], query = "") {
  const cuts = new Set([0, text.length]);
  const hits = [query].flat().flatMap((each) => occurrences(text, each.trim()));
  const doubts = doubtful(text, spoken);
  for (const { start, end } of [...hits, ...doubts]) cuts.add(start).add(end);
  const edges = [...cuts].sort((a, b) => a - b);
  const covering = (spans, start) => spans.find((span) => span.start <= start && start < span.end);
  return edges.slice(0, -1).map((start, at) => ({
    text: text.slice(start, edges[at + 1]),
    found: covering(hits, start) !== undefined,
    unsure: covering(doubts, start)?.confidence ?? null,
  }));
}

function occurrences(text, query) {
  const hits = [];
  if (!query) return hits;
  const [within, wanted] = [text.toLowerCase(), query.toLowerCase()];
  if (within.length !== text.length) return hits; // lower case has another length (only "İ" does that): no mark is better than a wrong one
  for (let at = within.indexOf(wanted); at >= 0; at = within.indexOf(wanted, at + wanted.length)) {
    hits.push({ start: at, end: at + wanted.length });
  }
  return hits;
}

/** Where the words with low confidence are. Providers punctuate the text but not always its words, so each word is searched for in turn. */
function doubtful(text, spoken) {
  const doubts = [];
  const within = text.toLowerCase();
  let from = 0;
  for (const { text: word, confidence } of spoken) {
    const bare = word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "") || word.toLowerCase();
    const start = within.indexOf(bare, from);
    if (start < 0) continue; // written differently in the text: "twenty" as "20", for example
    from = start + bare.length;
    if (typeof confidence === "number" && confidence < UNSURE_BELOW) doubts.push({ start, end: from, confidence });
  }
  return doubts;
}
