/**
 * Listening in on one live call: asks the hub for its sound and plays it, left and right as they are, well under a second behind.
 *
 * Costs nothing until it is used: no audio is opened and nothing is asked for before that.
 */

import { read, SAMPLE_RATE_HZ } from "./mulaw.js";

export class Listening {
  #context = null;
  #player = null;
  #sound = null;

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
    this.stop();
    if (before === sid) return;
    this.sid = sid;
    this.changed();
    let context;
    try {
      // At the telephone's own rate the browser resamples once, at the end, instead of at every message's edges.
      this.#context = context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
      await context.audioWorklet.addModule(this.worklet);
      if (this.#context !== context) return; // another click came meanwhile
      this.#player = new AudioWorkletNode(context, "call-player", { numberOfInputs: 0, outputChannelCount: [2] });
      this.#player.connect(context.destination);
      await context.resume();
    } catch (error) {
      if (this.#context !== (context ?? null)) return;
      this.#ended();
      this.say(`This browser cannot play the call: ${error.message}.`);
      return;
    }
    if (this.#context === context) this.again();
  }

  stop() {
    if (this.sid === null) return;
    this.send({ action: "unlisten", callSid: this.sid });
    this.#ended();
  }

  /** Take what the hub says about listening and about the call. */
  said(message) {
    if (this.sid === null || message.callSid !== this.sid) return;
    if (message.type === "listening") {
      this.#sound = message.id;
      this.#player?.port.postMessage("start");
    } else if (message.type === "unlistened" && message.id === this.#sound) {
      this.#ended();
      this.say(`You no longer hear the call: ${message.reason}.`);
    } else if (message.type === "error" && this.#sound === null) {
      this.#ended();
      this.say(`Listening in is not possible: ${message.message}.`);
    }
  }

  /** Take one binary message. */
  sounded(buffer) {
    const sound = this.#sound === null ? null : read(buffer);
    if (sound === null || sound.id !== this.#sound) return; // of a call that was listened to a moment ago
    this.#player?.port.postMessage(sound, [sound.left.buffer, sound.right.buffer]);
  }

  /** Ask for the sound; after a new connection too, because the hub has forgotten who listened. */
  again() {
    this.#sound = null;
    if (this.#player !== null) this.send({ action: "listen", callSid: this.sid });
  }

  #ended() {
    this.#context?.close();
    this.sid = this.#sound = this.#context = this.#player = null;
    this.changed();
  }
}
