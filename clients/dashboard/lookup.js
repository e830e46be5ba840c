/**
 * Asks the hub which calls fit the list's filter. The hub has every word of every call; the page has only the latest words of some.
 *
 * Knows the hub's search, its token and pauses in typing. Does not know how calls are shown.
 */

/** A pause in typing: the hub is not asked for every letter. */
const TYPING_MS = 250;

const NOTHING = new Map();

export class Lookup {
  #timer = 0;
  #request = null;

  /** `url` is the address of the list of calls, `token()` returns the token or null, `changed()` is called when an answer came. */
  constructor({ url, token, changed }) {
    this.url = url;
    this.token = token;
    this.changed = changed;
    this.query = "";
    /** Where each call that fits has the words: by callSid, `{start, track, speaker, text}`, or null if its words are not why it fits. */
    this.found = NOTHING;
    /** Whether the hub has not answered yet. */
    this.pending = false;
    /** Why the hub could not be asked; empty if it could. */
    this.problem = "";
  }

  /** Ask for the calls that fit, after a pause in typing. An earlier question is dropped. */
  ask(query) {
    if (query === this.query) return;
    // Whoever goes on typing narrows the search: until the answer comes, the earlier one is nearer to it than nothing.
    if (!this.query || !query.startsWith(this.query)) this.found = NOTHING;
    this.query = query;
    this.#stop();
    this.pending = query !== "";
    this.problem = "";
    if (query) this.#timer = setTimeout(() => this.#send(), TYPING_MS);
    else this.found = NOTHING;
  }

  /** Ask again: a hub that was away may have come back with other calls. */
  again() {
    if (!this.query) return;
    this.#stop();
    this.#send();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
  }

  async #send() {
    const request = (this.#request = new AbortController());
    const answer = await asked(`${this.url}?q=${encodeURIComponent(this.query)}`, this.token(), request.signal);
    if (request !== this.#request) return; // a later question is on its way
    this.pending = false;
    this.problem = answer.problem ?? "";
    this.found = answer.calls ? new Map(answer.calls.map((call) => [call.callSid, call.found?.[0] ?? null])) : NOTHING;
    this.changed();
  }
}

/** The hub's answer: `{calls}`, or `{problem}` in words. */
async function asked(url, token, signal) {
  try {
    const answer = await fetch(url, { signal, headers: token ? { Authorization: `Bearer ${token}` } : {} });
    const body = await answer.json().catch(() => null);
    if (answer.ok && Array.isArray(body?.calls)) return { calls: body.calls };
    return { problem: body?.error?.message ?? `it answered ${answer.status}` };
  } catch {
    return { problem: "it cannot be reached" };
  }
}
