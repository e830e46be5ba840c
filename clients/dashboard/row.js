/**
 * Elements for the list's rows: one call in two lines, or in three if something is wrong with it; in a wide list in one line of columns.
 * Knows how a row looks. Does not know where it is placed.
 */

import { urgency, why } from "./attention.js";
import { amiss, lasted, speaking, wordless } from "./call.js";
import { answeredBy, directionOf } from "./filter.js";
import { isolated } from "./foreign.js";
import { clock, day, shortSid, timeOfDay, wholeTime } from "./format.js";
import { say } from "./language.js";
import { excerpt } from "./search.js";
import { title, trouble } from "./sentences.js";
import { clone, element, mark, write } from "./template.js";

/** About how many characters fit into a row beside a name. */
const SHOWN_CHARACTERS = 34;

/** What the words of a row were made of, so that the document is touched only when that changes. */
const MADE_OF = new WeakMap();

export function madeRow(sid) {
  const row = clone("call-row");
  row.dataset.sid = sid;
  return row;
}

/**
 * Bring a row up to date. `open`: the call is open on screen. `query`: the list's filter. `hit`: the words that fit it,
 * `{start, track, speaker, text, matches}`; null if there are none.
 */
export function fillRow(row, call, { open, nowMs, query, hit }) {
  const [link] = row.children;
  const voices = speaking(call, nowMs);
  const reason = why(call);
  row.classList.toggle("ended", !call.live);
  row.classList.toggle("amiss", reason !== ""); // a line more
  row.classList.toggle("troubled", reason !== "" || trouble(call) !== "");
  row.classList.toggle("urgent", urgency(call) > 0);
  mark(link, "href", hit ? `#${call.sid}/t=${Math.round(hit.start * 10) / 10}` : `#${call.sid}`);
  mark(link, "aria-current", open ? "true" : false);
  mark(link, "data-voices", [...voices].join(" ") || false);
  write(link.querySelector(".title"), title(call, shortSid));
  fillFacts(link, call, nowMs);
  const condition = link.querySelector(".condition");
  write(condition, reason);
  mark(condition, "title", reason || false); // shows what a narrow list cuts off
  write(link.querySelector(".calm"), reason ? "" : say(call.live ? "list.is-live" : "state.complete"));
  fillWords(link.querySelector(".words"), call, { voices, query, hit });
}

function fillFacts(link, call, nowMs) {
  write(link.querySelector(".agent"), answeredBy(call) ?? "");
  write(link.querySelector(".queue"), call.queue ?? "");
  const direction = directionOf(call);
  write(link.querySelector(".direction"), direction === null ? "" : say(`direction.${direction}`));
  const seconds = lasted(call, nowMs);
  write(link.querySelector(".long"), seconds === null ? "" : clock(seconds));
  const [date, when] = [link.querySelector(".date"), link.querySelector(".when")];
  const past = !call.live && call.startedAtMs !== null;
  write(date, past ? day(call.startedAtMs) : "");
  write(when, past ? timeOfDay(call.startedAtMs) : "");
  mark(when, "datetime", past && new Date(call.startedAtMs).toISOString());
  mark(when, "title", past && wholeTime(call.startedAtMs));
}

function fillWords(words, call, { voices, query, hit }) {
  const shown = hit ?? call.latest;
  mark(words, "data-track", shown?.track ?? false);
  words.classList.toggle("unsettled", hit === null && call.latest !== null && !call.latest.settled && call.live);
  const [state, who, speaks, said] = words.children;
  write(state, trouble(call));
  write(who, hit ? `${clock(hit.start)} ${isolated(hit.speaker)}:` : shown ? `${shown.speaker}:` : "");
  write(speaks, call.latest && voices.has(call.latest.track) ? say("list.speaks") : "");
  fillSaid(said, hit ? excerpt(hit, query) : [{ text: call.latest ? newest(call.latest) : silence(call), found: false }]);
}

function fillSaid(said, parts) {
  const made = JSON.stringify(parts);
  if (MADE_OF.get(said) === made) return;
  MADE_OF.set(said, made);
  said.replaceChildren(...parts.map(({ text, found }) => (found ? element("mark", "", text) : document.createTextNode(text))));
}

/** What a row says of a call without words. Where something is missing in the record, nobody knows whether anything was said. */
function silence(call) {
  if (!call.known) return say("list.unknown");
  if (amiss(call)) return "";
  if (call.live) return call.utterances ? "" : say("list.no-words");
  if (wordless(call)) return say("list.nothing-said");
  if (!call.utterances) return "";
  const { inbound, outbound } = call.speakers;
  return say("list.spoke", { one: inbound, other: outbound, count: say("list.utterances", { n: call.utterances }) });
}

/** The words that fit into a row: the beginning of final words, but the end of interim words, because the end is new. */
function newest({ text, settled }) {
  if (settled || text.length <= SHOWN_CHARACTERS) return text.slice(0, 4 * SHOWN_CHARACTERS);
  return `…${text.slice(text.indexOf(" ", text.length - SHOWN_CHARACTERS) + 1)}`;
}
