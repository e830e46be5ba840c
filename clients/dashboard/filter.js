/**
 * The list's filter: words, days, a number, an agent, a queue, a direction, a length and a state. How it stands in the page's address, how the hub is asked for it, and
 * whether a call is within it. Pure: a filter is an object of strings and never changed; an empty string asks for all.
 */

import { urgency } from "./attention.js";
import { lasted } from "./call.js";
import { day } from "./format.js";
import { say } from "./language.js";

/**
 * The filter that every call fits. `from` and `to` are the first and the last day, `YYYY-MM-DD` in the reader's time zone. `longer` is a
 * number of minutes.
 */
export const EVERYTHING = Object.freeze({ q: "", from: "", to: "", number: "", agent: "", queue: "", direction: "", longer: "", state: "" });

const NAMES = Object.keys(EVERYTHING);

/** What only the page compares. The hub is not asked for it, so its pages may have calls that do not fit. */
const LOCAL = new Set(["direction", "longer"]);

/** States of live calls. The page has all live calls, and they change by the second. */
const OF_LIVE = new Set(["attention", "live"]);

/** The states that can be asked for, by the hub's words for them. */
export const STATES = ["attention", "live", "complete", "incomplete", "not-transcribed"];

export const DIRECTIONS = ["inbound", "outbound"];

const MOST_CHARACTERS = 200;

/** Read the filter from the search part of an address. What is not valid is left out. */
export function filterOf(search) {
  const query = new URLSearchParams(search);
  const found = {};
  for (const name of NAMES) {
    const value = (query.get(name) ?? "").trim().slice(0, MOST_CHARACTERS);
    found[name] = valid(name, value) ? value : "";
  }
  return found;
}

function valid(name, value) {
  if (name === "from" || name === "to") return value === "" || midnight(value) !== null;
  if (name === "direction") return value === "" || DIRECTIONS.includes(value);
  if (name === "longer") return value === "" || /^\d{1,4}$/.test(value);
  return name !== "state" || value === "" || STATES.includes(value);
}

/** The search part of an address with this filter. What else was in it stays. */
export function searchWith(search, filter) {
  const query = new URLSearchParams(search);
  for (const name of NAMES) {
    if (filter[name]) query.set(name, filter[name]);
    else query.delete(name);
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** Whether two filters ask for the same. */
export function same(one, other) {
  return NAMES.every((name) => one[name] === other[name]);
}

/** Whether a filter asks for all calls. */
export function isEmpty(filter) {
  return same(filter, EVERYTHING);
}

/** The parameters of `GET /calls` for this filter: the days become moments, `to` the one at which the last day is over. */
export function parameters(filter, more = {}) {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    if (!filter[name] || LOCAL.has(name) || (name === "state" && OF_LIVE.has(filter[name]))) continue;
    if (name === "from" || name === "to") query.set(name, new Date(midnight(filter[name], name === "to" ? 1 : 0)).toISOString());
    else query.set(name, filter[name]);
  }
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  return query;
}

/** The direction of a call: `inbound` or `outbound`. Twilio has several words for the second. Null if nobody has said it. */
export function directionOf({ direction }) {
  return direction === null ? null : direction.startsWith("outbound") ? "outbound" : "inbound";
}

/** Who answers a call: the voice agent, or the person whom the stream's parameters name. Null if nobody is named. */
export function answeredBy({ agent, person }) {
  return agent ?? person ?? null;
}

/** Whether a call fits what the hub is not asked for. */
export function fitsHere(call, { direction, longer, state }, nowMs = Date.now()) {
  if (OF_LIVE.has(state) && (!call.live || (state === "attention" && urgency(call) === 0))) return false;
  if (direction && directionOf(call) !== direction) return false;
  return !longer || (lasted(call, nowMs) ?? 0) >= (Number(longer) || 0) * 60;
}

/** Whether a call is within everything but the words of a filter, as far as the page knows the call. */
export function within(call, filter) {
  const { from, to, number, agent, queue, state } = filter;
  if (from && !(call.startedAtMs >= midnight(from))) return false;
  if (to && !(call.startedAtMs < midnight(to, 1))) return false;
  if (number && ![call.from, call.to].some((each) => each && bare(each) === bare(number))) return false;
  if (agent && answeredBy(call) !== agent) return false;
  if (queue && call.queue !== queue) return false;
  return !state || OF_LIVE.has(state) || call.completeness?.state === state;
}

/** Whether calls that are over can fit a filter. */
export function wantsPast({ state }) {
  return !OF_LIVE.has(state);
}

/** A number without what people write into it to read it better. */
function bare(number) {
  return number.replace(/[\s().\u00a0-]/g, "").toLowerCase();
}

/** What the filter asks for beside words, in words of a person: `[name, text]` for each part that is set. */
export function parts(filter) {
  const words = {
    from: (value) => say("filter.since", { day: day(midnight(value)) }),
    to: (value) => say("filter.until", { day: day(midnight(value)) }),
    number: (value) => say("filter.number", { value }),
    agent: (value) => say("filter.agent", { value }),
    queue: (value) => say("filter.queue", { value }),
    direction: (value) => say(`direction.${value}`).toLowerCase(),
    longer: (value) => say("filter.longer", { value }),
    state: (value) => say(`state.${value}`).toLowerCase(),
  };
  return NAMES.filter((name) => name in words && filter[name]).map((name) => [name, words[name](filter[name])]);
}

/** The moment at which a day begins in the reader's time zone, `later` days on, in Unix milliseconds; null if there is no such day. */
function midnight(text, later = 0) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return null;
  const [year, month, date] = match.slice(1).map(Number);
  const moment = new Date(year, month - 1, date);
  if (year < 1970 || moment.getMonth() !== month - 1 || moment.getDate() !== date) return null;
  return new Date(year, month - 1, date + later).getTime();
}
