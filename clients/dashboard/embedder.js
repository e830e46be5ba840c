/**
 * The page around this one, where this one is embedded: it may give tokens, if the hub's settings name its origin. The messages are
 * described for integrators in the hub's documentation.
 */

/** What the page says: it wants a token, or has taken one. */
const WANTED = "transcript-hub:token-wanted";
const TAKEN = "transcript-hub:token-taken";

/** What the page takes: a token. */
const TOKEN = "transcript-hub:token";

export class Embedder {
  /** `origins` promises the origins whose pages may give tokens. `given(token)` is called with a token of theirs. */
  constructor({ origins, given }) {
    /** Whether there is a page around this one. */
    this.there = window.parent !== window;
    if (!this.there) return;
    addEventListener("message", async ({ source, origin, data }) => {
      // Any window that can reach this one can send it messages: only the page around it counts, and only if the hub knows it.
      if (source !== window.parent || data?.type !== TOKEN || typeof data.token !== "string") return;
      if (origin === location.origin || (await origins).includes(origin)) given(data.token.trim());
      else console.warn(`A token came from ${origin}, which this hub does not name in HUB_ORIGINS. It is not used.`);
    });
  }

  /** Ask for a token. `why`: missing, expiring or refused. `expiresAtMs`: when the one before runs out, in Unix milliseconds, or null. */
  ask(why, expiresAtMs) {
    this.#tell({ type: WANTED, why, expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString() });
  }

  /** Say that the hub has taken a token. */
  taken() {
    this.#tell({ type: TAKEN });
  }

  #tell(message) {
    // To whichever page is around this one: nothing in these messages is a secret, and the page need not know where it is embedded.
    if (this.there) window.parent.postMessage(message, "*");
  }
}
