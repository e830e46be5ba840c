/**
 * Listening in on one live call: asks the hub for its sound and plays it, left and right as they are, well under a second behind.
 *
 * Costs nothing until it is used: no audio is opened and nothing is asked for before that.
 */

import { read, SAMPLE_RATE_HZ } from "./mulaw.js";

export class Listening {
  #context = null;
  #player = null;
  #listener = null;

  /** `send(message)` talks to the hub, `changed()` asks for a drawing, `say(sentence)` tells the reader. */
  constructor({ worklet, send, changed, say }) {
    this.worklet = worklet;
    this.send = send;
    this.changed = changed;
    this.say = say;
    /** The call listened to; null when none is. */
    this.sid = null;
  }

  /** Start listening to a call, or stop if it is this one. Must come from a click or a key: browsers play nothing unasked. */
  async toggle(sid) {
    const before = this.sid;
    if (before !== null) this.stop();
    if (before === sid) return;
    this.sid = sid;
    this.changed();
    try {
      await this.#open();
    } catch (error) {
      this.sid = null;
      this.changed();
      this.say(`This browser cannot play the call: ${error.message}.`);
      return;
    }
    if (this.sid === sid) this.send({ action: "listen", callSid: sid });
  }

  stop() {
    if (this.sid === null) return;
    this.send({ action: "unlisten", callSid: this.sid });
    this.#ended();
  }

  /** Take what the hub says about listening and about the call. */
  said(message) {
    if (message.callSid !== this.sid || this.sid === null) return;
    if (message.type === "listening") {
      this.#listener = message.id ?? null;
      this.#player.port.postMessage("start");
    } else if (message.type === "call-ended") this.#ended();
    else if (message.type === "error") {
      this.#ended();
      this.say(`Listening in is not possible: ${message.message}.`);
    }
  }

  /** Take one binary message. */
  sounded(buffer) {
    const sound = this.sid === null ? null : read(buffer);
    if (sound === null || (this.#listener !== null && sound.listener !== this.#listener)) return;
    this.#player?.port.postMessage(sound, [sound.left.buffer, sound.right.buffer]);
  }

  /** After a new connection: the hub has forgotten who listened. */
  again() {
    if (this.sid !== null) this.send({ action: "listen", callSid: this.sid });
  }

  #ended() {
    this.sid = null;
    this.#listener = null;
    this.#context?.close();
    this.#context = this.#player = null;
    this.changed();
  }

  async #open() {
    // At the telephone's own rate the browser resamples once, at the end, instead of at every message's edges.
    const context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
    await context.audioWorklet.addModule(this.worklet);
    this.#player = new AudioWorkletNode(context, "call-player", { numberOfInputs: 0, outputChannelCount: [2] });
    this.#player.connect(context.destination);
    this.#context = context;
    await context.resume();
  }
}
