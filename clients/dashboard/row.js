/**
 * Elements for the list's rows: one call in two lines, or in three if something is missing in its record. Knows how a row looks. Does not
 * know where it is placed.
 */

import { amiss, lasted, speaking, wordless } from "./call.js";
import { isolated, isolating } from "./foreign.js";
import { clock, counted, shortSid, timeOfDay } from "./format.js";
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
  row.classList.toggle("ended", !call.live);
  row.classList.toggle("amiss", amiss(call)); // a line more
  row.classList.toggle("troubled", amiss(call) || (call.live && call.trouble?.kind === "lost"));
  mark(link, "href", hit ? `#${call.sid}/t=${Math.round(hit.start * 10) / 10}` : `#${call.sid}`);
  mark(link, "aria-current", open ? "true" : false);
  mark(link, "data-voices", [...voices].join(" ") || false);
  write(link.querySelector(".title"), title(call, shortSid));
  const seconds = lasted(call, nowMs);
  write(link.querySelector(".long"), seconds === null ? "" : clock(seconds));
  const when = link.querySelector(".when");
  write(when, call.live || call.startedAtMs === null ? "" : timeOfDay(call.startedAtMs));
  mark(when, "datetime", when.textContent !== "" && new Date(call.startedAtMs).toISOString());
  const condition = link.querySelector(".condition");
  write(condition, amiss(call) ? call.completeness.summary : "");
  mark(condition, "title", condition.textContent || false); // shows what a narrow list cuts off
  fillWords(link.querySelector(".words"), call, { voices, query, hit });
}

function fillWords(words, call, { voices, query, hit }) {
  const shown = hit ?? call.latest;
  mark(words, "data-track", shown?.track ?? false);
  words.classList.toggle("unsettled", hit === null && call.latest !== null && !call.latest.settled && call.live);
  const [state, who, speaks, said] = words.children;
  write(state, trouble(call));
  write(who, hit ? `${clock(hit.start)} ${isolated(hit.speaker)}:` : shown ? `${shown.speaker}:` : "");
  write(speaks, call.latest && voices.has(call.latest.track) ? "is speaking" : "");
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
  if (!call.known) return "The hub no longer knows this call";
  if (amiss(call)) return "";
  if (call.live) return call.utterances ? "" : "No words yet";
  if (wordless(call)) return "Nothing was said";
  if (!call.utterances) return "";
  return isolating`${call.speakers.inbound} and ${call.speakers.outbound} · ${counted(call.utterances, "utterance")}`;
}

/** The words that fit into a row: the beginning of final words, but the end of interim words, because the end is new. */
function newest({ text, settled }) {
  if (settled || text.length <= SHOWN_CHARACTERS) return text.slice(0, 4 * SHOWN_CHARACTERS);
  return `…${text.slice(text.indexOf(" ", text.length - SHOWN_CHARACTERS) + 1)}`;
}
