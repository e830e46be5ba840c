/**
 * Finding calls by what one types, and words within a call. Pure.
 */

/** Words that the provider itself gives less than this are marked: at one half they are as likely wrong as right. */
export const UNSURE_BELOW = 0.5;

/** Whether a call fits what was typed: every part of it must be in a number, a name, the callSid or what was said lately. */
export function fits(call, query) {
  return parts(query).every((part) => {
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

function parts(query) {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

/**
 * The calls of the list: live ones first, newest on top, then the ended ones, latest end on top. An order that no word and no second
 * changes: rows stay where they are until a call begins or ends.
 */
export function ordered(calls, query = "") {
  const live = [];
  const ended = [];
  for (const call of calls) {
    if (!call.known && !call.live && call.startedAtMs === null) continue; // only asked for by a link
    if (query && !fits(call, query)) continue;
    (call.live ? live : ended).push(call);
  }
  live.sort((a, b) => (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0) || (a.sid < b.sid ? -1 : 1));
  ended.sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0) || (a.sid < b.sid ? -1 : 1));
  return { live, ended };
}

/** Ids of the lines in which the query is found, in their order. Takes what is spoken, not what the page says. */
export function found(lines, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [];
  return lines.filter((line) => line.kind === "final" && line.text.toLowerCase().includes(wanted)).map((line) => line.id);
}

/**
 * A text in pieces `{text, found, unsure}` that follow each other without a hole: what was searched for, and the words that the provider
 * itself doubts (`unsure` is its confidence, else null).
 */
export function passages(text, words = [], query = "") {
  const cuts = new Set([0, text.length]);
  const hits = occurrences(text, query.trim());
  const doubts = doubtful(text, words);
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
  if (within.length !== text.length) return hits; // lower-casing moved the letters (only "İ" does): better no mark than a wrong one
  for (let at = within.indexOf(wanted); at >= 0; at = within.indexOf(wanted, at + wanted.length)) {
    hits.push({ start: at, end: at + wanted.length });
  }
  return hits;
}

/** Where the doubted words stand. Providers punctuate and capitalise the text but not always its words, so each is looked for in turn. */
function doubtful(text, words) {
  const doubts = [];
  const within = text.toLowerCase();
  let from = 0;
  for (const { text: word, confidence } of words) {
    const bare = word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "") || word.toLowerCase();
    const start = within.indexOf(bare, from);
    if (start < 0) continue; // written otherwise in the text, for example "twenty" as "20"
    from = start + bare.length;
    if (typeof confidence === "number" && confidence < UNSURE_BELOW) doubts.push({ start, end: from, confidence });
  }
  return doubts;
}
