/**
 * The one WebSocket of the page: opens it, notices when it is dead, comes back with back-off, says who it is.
 *
 * Knows close codes and the clock; what is asked and what is answered pass through.
 */

import { phase, wait } from "./backoff.js";

/** How often the hub is asked for a sign of life, so that a connection that is dead but not closed is found out. */
const PING_MS = 15_000;

/** How long it may take to answer anything at all: twice what a busy hub and a slow line need together. */
const SILENT_MS = 10_000;

export class Connection {
  #socket = null;
  #attempt = 0;
  #retry = 0;
  #watch = 0;
  #heardAt = 0;
  #askedAt = null;

  /** `said` takes a decoded message, `sounded` an ArrayBuffer, `changed` a page event about the connection itself. */
  constructor({ url, token, said, sounded, changed }) {
    this.url = url;
    this.token = token;
    this.said = said;
    this.sounded = sounded;
    this.changed = changed;
    /** How far this machine's clock is ahead of the hub's, in milliseconds. */
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

  /** Send one message; what cannot be sent now is asked for again after the next `socket-opened`. */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Come in with another token. */
  authenticate(token) {
    this.token = token;
    this.#attempt = 0;
    this.open();
  }

  /** Try at once instead of at the end of the wait, if it is one: who was sent away stays away. */
  #hurry() {
    if (this.#socket === null && this.#retry) this.open();
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not this protocol: the next message may be
    }
    if (Array.isArray(message)) {
      this.#attempt = 0; // only now the hub has let us in
      return;
    }
    if ((message.type === "calls" || message.type === "pong") && message.at) this.skewMs = Date.now() - Date.parse(message.at);
    if (message.type !== "pong") this.said(message);
  }

  #heard() {
    this.#heardAt = performance.now();
    this.#askedAt = null;
  }

  /** Ask a silent hub for a sign of life; give a dead connection up. A page that was asleep asks first and judges later. */
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
    socket.close(); // of one that is only given up: its own close may take minutes to be told
    const atMs = Date.now();
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
}
