/**
 * Listening in on one live call: requests its audio from the hub and plays it in stereo, well under a second late.
 *
 * Costs nothing until it is used: before that, no audio device is opened and nothing is requested.
 */

import { say } from "./language.js";
import { read, SAMPLE_RATE_HZ } from "./mulaw.js";
import { habit, keepHabit } from "./reading_habits.js";

/** How many samples a level is measured over: 64 ms, longer than the lowest voice's period. */
const LEVEL_SAMPLES = 512;

/** How fast the volume changes, in seconds: at once would click. */
const FADE_SECONDS = 0.02;

export class Listening {
  #context = null;
  #player = null;
  #sound = null;
  /** The volume as a node; null while nothing is played. */
  #gain = null;
  /** What measures the left and the right side, before the volume. */
  #ears = [];
  #samples = new Float32Array(LEVEL_SAMPLES);
  #volume = percentage(habit("volume"));

  /** `send(message)` sends to the hub, `changed()` requests a drawing, `say(sentence)` shows a sentence to the reader. */
  constructor({ worklet, send, changed, say }) {
    this.worklet = worklet;
    this.send = send;
    this.changed = changed;
    this.say = say;
    /** The callSid that is being listened to; null when there is none. */
    this.sid = null;
    /** Whether nothing is heard although it is played. Every call begins unmuted. */
    this.muted = false;
  }

  /** The volume, from 0 to 100. It is kept for the next call. */
  get volume() {
    return this.#volume;
  }

  set volume(percent) {
    this.#volume = percent;
    this.muted = false; // who turns the volume wants to hear something
    keepHabit("volume", String(percent));
    this.#fade();
  }

  /** Mute the call, or unmute it. Returns whether one is listened to. */
  mute() {
    if (this.sid === null) return false;
    this.muted = !this.muted;
    this.#fade();
    return true;
  }

  /** How loud the left and the right side are now, before the volume: root mean squares of samples between -1 and 1. */
  loudness() {
    return [0, 1].map((side) => {
      const samples = this.#samples.fill(0);
      this.#ears[side]?.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
    });
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
      this.#wire(context);
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

  #wire(context) {
    const split = context.createChannelSplitter(2);
    this.#player.connect(split);
    this.#ears = [0, 1].map((side) => {
      const ear = new AnalyserNode(context, { fftSize: LEVEL_SAMPLES });
      split.connect(ear, side);
      return ear;
    });
    this.#gain = new GainNode(context, { gain: this.#loud });
    this.#player.connect(this.#gain).connect(context.destination);
  }

  /** The gain for the volume: ears hear its square as about even steps. */
  get #loud() {
    return this.muted ? 0 : (this.#volume / 100) ** 2;
  }

  #fade() {
    this.#gain?.gain.setTargetAtTime(this.#loud, this.#context.currentTime, FADE_SECONDS);
  }

  #ended() {
    this.#context?.close();
    this.sid = this.#sound = this.#context = this.#player = this.#gain = null;
    this.#ears = [];
    this.muted = false;
    this.changed();
  }
}

/** A volume that was kept, from 0 to 100; all of it if none was. */
function percentage(kept) {
  return kept === "" || !(Number(kept) >= 0 && Number(kept) <= 100) ? 100 : Number(kept);
}
