/**
 * Finds calls that fit a filter, and words within a call. Pure.
 */

import { TAIL_LINES } from "./call_lines.js";
import { fitsHere, within } from "./filter.js";
import { comparable, places, terms } from "./words.js";

/** About how many characters of a hit stand before the first word that was searched for. */
const LEAD_CHARACTERS = 14;

/** Words with a lower confidence than this are marked: below one half they are more likely wrong than right. */
export const UNSURE_BELOW = 0.5;

/** Whether a call fits a query: each of its terms must be in a number, a name, the callSid or the latest words. */
export function fits(call, query) {
  const wanted = terms(query);
  if (!wanted.length) return true;
  const facts = [call.sid, call.sid.slice(-4), call.from, call.to, call.speakers.inbound, call.speakers.outbound, call.agent, call.person, call.queue, call.provider];
  const known = facts.map((fact) => (fact ? comparable(fact) : "")).join("") + call.recent + comparable(call.latest?.text ?? "");
  return wanted.every((term) => {
    const digits = term.replaceAll(" ", "");
    if (known.includes(term)) return true;
    return /^\d{3,}$/.test(digits) && [call.from, call.to].some((number) => number?.replace(/\D/g, "").includes(digits));
  });
}

/**
 * Whether a call fits a filter: by what the page knows of it, or as one of `hits`, by callSid, which fit by what the hub knows. What the
 * hub has not been asked about yet, such as words that were said since, counts as well.
 */
export function matches(call, filter, hits) {
  if (!fitsHere(call, filter)) return false;
  return hits.has(call.sid) || (within(call, filter) && fits(call, filter.q));
}

/** The latest line of a call that has a term of the query; null if no line that the list keeps has one. */
export function latestWith(call, query) {
  const wanted = terms(query);
  const has = ({ kind, text, past }) => kind === "final" && !past && wanted.some((term) => comparable(text).includes(term));
  return call.lines.slice(-TAIL_LINES).findLast(has) ?? null;
}

/**
 * A hit as a row shows it: `{text, found}` pieces, from a little before the first match, so that it is in view. The hub says where its
 * matches are; in a line that only the page has, they are where the query's terms stand.
 */
export function excerpt({ text, matches = null }, query) {
  const spans = matches ?? places(text, query);
  const from = spans.length && spans[0][0] > LEAD_CHARACTERS ? text.lastIndexOf(" ", spans[0][0] - LEAD_CHARACTERS) + 1 : 0;
  const made = from > 0 ? [{ text: "…", found: false }] : [];
  let edge = from;
  for (const [start, length] of spans) {
    if (start > edge) made.push({ text: text.slice(edge, start), found: false });
    made.push({ text: text.slice(start, start + length), found: true });
    edge = start + length;
  }
  if (edge < text.length) made.push({ text: text.slice(edge), found: false });
  return made;
}

/** The ids of the lines that contain the query, in order. Searches spoken lines only, not the page's own sentences. */
export function found(lines, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [];
  return lines.filter((line) => line.kind === "final" && line.text.toLowerCase().includes(wanted)).map((line) => line.id);
}

/**
 * A text in pieces `{text, found, unsure}` that together are the whole text. `found`: the piece matches the search.
 * `unsure`: the provider's confidence, if it is low; otherwise null.
 */
export function passages(text, spoken = [], query = "") {
  const cuts = new Set([0, text.length]);
  const hits = occurrences(text, query.trim());
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
