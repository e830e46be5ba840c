/**
 * Listening in on one live call: requests its audio from the hub and plays it in stereo, well under a second late.
 *
 * Costs nothing until it is used: before that, no audio device is opened and nothing is requested.
 */

import { say } from "./language.js";
import { read, SAMPLE_RATE_HZ } from "./mulaw.js";

export class Listening {
  #context = null;
  #player = null;
  #sound = null;

  /** `send(message)` sends to the hub, `changed()` requests a drawing, `say(sentence)` shows a sentence to the reader. */
  constructor({ worklet, send, changed, say }) {
    this.worklet = worklet;
    this.send = send;
    this.changed = changed;
    this.say = say;
    /** The callSid that is being listened to; null when there is none. */
    this.sid = null;
  }

  /** Start listening to a call, or stop if it is this one. Call it from a click or a key: browsers play no audio otherwise. */
  async toggle(sid) {
    const before = this.sid;
    this.stop();
    if (before === sid) return;
    this.sid = sid;
    this.changed();
    let context;
    try {
      // The context has the telephone's rate, so that the browser resamples the whole stream once and not each message by itself.
      this.#context = context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
      await context.audioWorklet.addModule(this.worklet);
      if (this.#context !== context) return; // another click came in the meantime
      this.#player = new AudioWorkletNode(context, "call-player", { numberOfInputs: 0, outputChannelCount: [2] });
      this.#player.connect(context.destination);
      await context.resume();
    } catch (error) {
      if (this.#context !== (context ?? null)) return;
      this.#ended();
      this.say(say("said.cannot-play", { reason: error.message }));
      return;
    }
    if (this.#context === context) this.again();
  }

  stop() {
    if (this.sid === null) return;
    this.send({ action: "unlisten", callSid: this.sid });
    this.#ended();
  }

  /** Take a text message of the hub. */
  said(message) {
    if (this.sid === null || message.callSid !== this.sid) return;
    if (message.type === "listening") {
      this.#sound = message.id;
      this.#player?.port.postMessage("start");
    } else if (message.type === "unlistened" && message.id === this.#sound) {
      this.#ended();
      this.say(say("said.no-longer-heard", message));
    } else if (message.type === "error" && this.#sound === null) {
      this.#ended();
      this.say(say("said.cannot-listen", { reason: message.message }));
    }
  }

  /** Take one binary message. */
  sounded(buffer) {
    const sound = this.#sound === null ? null : read(buffer);
    if (sound === null || sound.id !== this.#sound) return; // from a call that was listened to before
    this.#player?.port.postMessage(sound, [sound.left.buffer, sound.right.buffer]);
  }

  /** Request the audio. Needed after each reconnect, too, because the hub does not remember who listened. */
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
