/**
 * Asks the hub for the calls of the list that have ended, the newest first and a page at a time; and, where there is a filter, which calls
 * fit it, live ones included. The hub has every word of every call. The page has only the latest words of some.
 *
 * Knows the hub's pages, its token and pauses in typing. Does not know how calls are shown.
 */

import { EVERYTHING, fitsHere, isEmpty, parameters, same, wantsPast } from "./filter.js";
import { asked } from "./files.js";
import { pastCall } from "./summary.js";

/** A pause in typing: the hub is not asked for every letter. */
const TYPING_MS = 250;

/** How many calls a page has: a few screens. */
const PAGE_CALLS = 60;

/** The longest page that a hub gives. */
const MOST_CALLS = 1000;

export class Archive {
  #timer = 0;
  #request = null;
  #next = null;
  #sids = new Set();
  #admitted = false;

  /** `url` is the address of the list of calls, `token()` returns the token or null, `changed()` is called when an answer came. */
  constructor({ url, token, changed }) {
    this.url = url;
    this.token = token;
    this.changed = changed;
    this.filter = EVERYTHING;
    /** The calls that have ended, as far as the pages go, the newest first. */
    this.past = [];
    /** By callSid, for each call that fits the filter as far as the hub was asked: where it has the words, or null if it fits otherwise. */
    this.hits = new Map();
    /** Counts the changes of `past` and `hits`. */
    this.version = 0;
    /** Whether the hub has not answered the newest question yet. */
    this.pending = true;
    /** Whether a further page is on its way. */
    this.loading = false;
    /** Whether there are no further pages. */
    this.complete = false;
    /** Why the hub could not be asked; empty if it could. */
    this.problem = "";
  }

  /** Ask for the calls that fit. An earlier question is dropped. The hub is asked at once, or after a pause in typing. */
  ask(filter) {
    if (same(filter, this.filter)) return;
    const typed = filter.q !== this.filter.q;
    // Whoever goes on typing narrows the search: until the answer comes, the earlier one is nearer to it than nothing.
    const narrower = this.filter.q && filter.q.startsWith(this.filter.q) && same({ ...filter, q: "" }, { ...this.filter, q: "" });
    this.filter = filter;
    this.#stop();
    if (!narrower) this.#take([], []);
    this.complete = false;
    this.pending = true;
    this.problem = "";
    if (!this.#admitted) return;
    if (typed && filter.q) this.#timer = setTimeout(() => this.again(), TYPING_MS);
    else this.again();
  }

  /** The hub lets this page in, or not without another token: until it does, it is asked nothing. */
  set admitted(admitted) {
    this.#admitted = admitted;
    if (admitted) this.again();
    else this.#stop();
  }

  /** Ask again, as far as the pages went: the hub was away, and may have come back with other calls. */
  async again() {
    this.#stop();
    const request = (this.#request = new AbortController());
    this.pending = !this.past.length || !isEmpty(this.filter);
    const limit = Math.max(PAGE_CALLS, Math.min(MOST_CALLS, this.past.length));
    const [ended, live] = await Promise.all([
      this.#get({ live: "false", limit }, request.signal),
      isEmpty(this.filter) ? { calls: [] } : this.#live(request.signal),
    ]);
    if (request !== this.#request) return; // a later question is on its way
    this.#request = null;
    this.pending = false;
    this.problem = ended.problem ?? live.problem ?? "";
    if (!this.problem) {
      this.#take(ended.calls, live.calls);
      this.#turn(ended.next);
    }
    this.changed();
  }

  /** Ask for the next page, unless one is on its way or there is none. */
  async more() {
    if (this.#request || this.pending || this.complete || !this.#admitted) return;
    const request = (this.#request = new AbortController());
    this.loading = true;
    this.changed();
    const { calls = [], next = null, problem = "" } = await this.#get({ live: "false", limit: PAGE_CALLS, after: this.#next }, request.signal);
    if (request !== this.#request) return;
    this.#request = null;
    this.loading = false;
    this.problem = problem;
    if (!problem) {
      for (const summary of calls) this.#append(summary);
      this.#turn(next);
    }
    this.changed();
  }

  /** Take a call that has ended since the pages came, unless it is older than they go: then a later page brings it. */
  include(call) {
    if (this.#sids.has(call.sid) || this.pending) return;
    const oldest = this.past.at(-1);
    if (!this.complete && (oldest === undefined || older(call, oldest))) return;
    let at = 0;
    while (at < this.past.length && older(call, this.past[at])) at += 1; // almost always the newest
    this.past.splice(at, 0, { ...call, depth: "tail", lines: [], open: {}, recent: "" });
    this.#sids.add(call.sid);
    this.version += 1;
  }

  /** Leave out the calls for which this holds: those that are live again, or that nobody keeps any longer. */
  exclude(gone) {
    const kept = this.past.filter((call) => !gone(call));
    if (kept.length === this.past.length) return;
    this.past = kept;
    this.#sids = new Set(kept.map(({ sid }) => sid));
    this.version += 1;
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  #take(ended, live) {
    this.past = [];
    this.#sids.clear();
    this.hits = new Map(live.map((summary) => [summary.callSid, summary.found?.[0] ?? null]));
    this.#turn(null, false);
    for (const summary of ended) this.#append(summary);
  }

  #append(summary) {
    this.hits.set(summary.callSid, summary.found?.[0] ?? null);
    if (this.#sids.has(summary.callSid)) return;
    const call = pastCall(summary);
    if (!fitsHere(call, this.filter)) return;
    this.#sids.add(summary.callSid);
    this.past.push(call);
  }

  #turn(next, complete = next === null) {
    this.#next = next;
    this.complete = complete;
    this.version += 1;
  }

  /** All live calls that fit: a page of a search may be short, or empty, although more follow. */
  async #live(signal) {
    const calls = [];
    for (let next; next !== null; ) {
      const page = await this.#get({ live: "true", limit: MOST_CALLS, ...(next ? { after: next } : {}) }, signal);
      if (page.problem) return page;
      calls.push(...page.calls);
      next = page.next;
    }
    return { calls };
  }

  async #get(more, signal) {
    if (more.live === "false" && !wantsPast(this.filter)) return { calls: [], next: null };
    return asked(`${this.url}?${parameters(this.filter, more)}`, this.token(), signal);
  }
}

/** Whether a call began before another one. */
function older(one, other) {
  return (one.startedAtMs ?? 0) < (other.startedAtMs ?? 0);
}
