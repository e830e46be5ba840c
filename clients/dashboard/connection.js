/**
 * The page's one WebSocket: opens it, authenticates, notices when it is dead, and reconnects with back-off.
 *
 * Knows close codes and the clock. Does not know what the messages mean: it passes them through.
 */

import { BAD_TOKEN, phase, wait } from "./backoff.js";
import { expiryMs } from "./token.js";

/** A ping is sent after this long without a message, so that a connection that is dead but not closed is noticed. */
const PING_MS = 15_000;

/** How long the hub may take to send anything after a ping: twice what a busy hub and a slow network need together. */
const SILENT_MS = 10_000;

/** Answers that say what time it is at the hub. */
const CLOCKS = new Set(["calls", "pong", "authenticated"]);

export class Connection {
  #socket = null;
  #attempt = 0;
  #retry = 0;
  #watch = 0;
  #heardAt = 0;
  #askedAt = null;
  /** While the hub has not said whether it takes the newest token: the one before. Else null. */
  #before = null;

  /** `said` gets each decoded message, `sounded` each ArrayBuffer, `changed` each page event about the connection itself. */
  constructor({ url, token, said, sounded, changed }) {
    this.url = url;
    this.token = token;
    this.said = said;
    this.sounded = sounded;
    this.changed = changed;
    /** This machine's clock minus the hub's, in milliseconds. */
    this.skewMs = 0;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#hurry();
      this.#look();
    });
  }

  open() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#heard();
      this.#watch = setInterval(() => this.#look(), PING_MS / 3);
      if (this.token) this.send({ action: "authenticate", token: this.token });
      this.changed({ type: "socket-opened", atMs: Date.now() });
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heard();
      if (typeof data === "string") this.#receive(data);
      else this.sounded(data);
    });
    socket.addEventListener("close", ({ code }) => this.#closed(socket, code));
  }

  /** Send one message. Without a connection nothing is sent: after the next `socket-opened` the page asks again for all it shows. */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /**
   * Go on with another token: over the same socket if there is one, so that nothing on the page is fetched again. If the hub refuses it, and
   * the one before still holds, the page goes on with that one.
   */
  authenticate(token) {
    this.#before = this.token;
    this.token = token;
    this.#attempt = 0;
    if (this.#socket === null) this.open();
    else this.send({ action: "authenticate", token }); // a socket that is not open yet sends it as its first message
  }

  /** End a running wait and reconnect now. A page that was refused is not waiting, and stays away. */
  #hurry() {
    if (this.#socket === null && this.#retry) this.open();
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not a message of this protocol; the next one may be
    }
    if (Array.isArray(message)) {
      this.#attempt = 0; // the first message: only now has the hub let this page in
      this.#admitted();
      return;
    }
    if (CLOCKS.has(message.type) && message.at) this.skewMs = Date.now() - Date.parse(message.at);
    if (message.type === "authenticated") this.#admitted();
    else if (message.type !== "pong") this.said(message);
  }

  #admitted() {
    this.#before = null;
    this.changed({ type: "admitted" });
  }

  #heard() {
    this.#heardAt = performance.now();
    this.#askedAt = null;
  }

  /** Ping a silent hub; give up a dead connection. After a page was asleep it pings first, and judges only by the answer. */
  #look() {
    const now = performance.now();
    if (this.#socket === null) return;
    if (this.#askedAt !== null && now - this.#askedAt > SILENT_MS) this.#closed(this.#socket, 1006);
    else if (this.#askedAt === null && now - this.#heardAt > PING_MS) {
      this.#askedAt = now;
      this.send({ action: "ping" });
    }
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#watch);
    socket.close(); // for a connection that was given up: its own `close` event may come minutes later
    const atMs = Date.now();
    if (code === BAD_TOKEN && this.#before !== null) {
      this.#refused(atMs);
      return;
    }
    const next = phase(code);
    if (next !== "offline") {
      this.changed({ type: "socket-closed", atMs, code, phase: next });
      return;
    }
    this.#attempt += 1;
    const inMs = wait(this.#attempt);
    this.#retry = setTimeout(() => this.open(), inMs);
    this.changed({ type: "socket-closed", atMs, code, phase: next, retryAtMs: atMs + inMs });
  }

  /** The hub refused a token that came while the one before was in use; or the one before ran out at that very moment. */
  #refused(atMs) {
    const before = this.#before;
    this.#before = null;
    const holds = (expiryMs(before) ?? 0) > Date.now() - this.skewMs;
    if (holds) this.token = before;
    this.changed({ type: "socket-closed", atMs, code: BAD_TOKEN, phase: "offline", retryAtMs: atMs });
    if (holds) this.changed({ type: "token-refused" });
    this.open();
  }
}
