/**
 * Fetches the summary of open calls that have ended: it has what the events do not, such as whether the recording is still kept.
 */

export class Summaries {
  #asked = new Set();

  /** `url(sid)` is the address of a call, `token()` returns the token or null, `came(summary)` gets each summary. */
  constructor({ url, token, came }) {
    this.url = url;
    this.token = token;
    this.came = came;
  }

  /** Fetch the summary of a call, once. */
  async want(sid) {
    if (this.#asked.has(sid)) return;
    this.#asked.add(sid);
    const token = this.token();
    try {
      const answer = await fetch(this.url(sid), { headers: token ? { Authorization: `Bearer ${token}` } : {} });
      if (answer.ok) this.came(await answer.json());
    } catch {
      // The hub is away: the page says so, and asks again when it is back.
    }
  }

  /** Fetch all anew when they are wanted next: the hub was away. */
  again() {
    this.#asked.clear();
  }
}
