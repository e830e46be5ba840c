/**
 * Tells a reader who looks elsewhere that a call needs attention: by a notification, by a sound, or not at all, as they chose. Knows
 * reasons and what was told. Does not know where the calls come from.
 */

import { reasonSentence } from "./attention.js";
import { shortSid } from "./format.js";
import { say } from "./language.js";
import { habit, keepHabit } from "./reading_habits.js";
import { title } from "./sentences.js";

/** Two tones, a fifth apart, and how long each lasts: short enough not to disturb a call, unlike anything that a telephone plays. */
const TONES_HZ = [660, 990];
const TONE_SECONDS = 0.13;

/** Loud enough to be heard across a desk. */
const VOLUME = 0.15;

export class Alarm {
  #told = null;
  #context = null;

  /** `open(sid)` opens a call, `complain(sentence)` shows a sentence, `announce(sentence)` has it read aloud by screen readers. */
  constructor({ open, complain, announce }) {
    this.open = open;
    this.complain = complain;
    this.announce = announce;
    this.notify = document.getElementById("alarm-notify");
    this.sound = document.getElementById("alarm-sound");
    this.notify.checked = habit("notify") === "on" && globalThis.Notification?.permission === "granted";
    this.sound.checked = habit("sound") === "on";
    this.notify.addEventListener("change", () => this.#allow());
    this.sound.addEventListener("change", () => {
      keepHabit("sound", this.sound.checked ? "on" : "off");
      if (this.sound.checked) this.#ring(); // so that the reader knows it, and the browser allows it from now on
    });
  }

  /** Take the calls that need attention now. What the first list has is on the screen: only what is new after it is told. */
  take(calls) {
    const now = new Map(calls.flatMap((call) => call.attention.reasons.map((each) => [`${call.sid} ${each.kind} ${each.about}`, [call, each]])));
    const news = this.#told === null ? [] : [...now].filter(([key]) => !this.#told.has(key)).map(([, each]) => each);
    // "20 % of the audio was lost" is no news after "19 %": the same kind of the same call is told once, until it is over.
    const before = new Set([...(this.#told ?? [])].map((key) => key.split(" ", 2).join(" ")));
    this.#told = new Set(now.keys());
    const fresh = news.filter(([call, { kind }]) => kind === "tool-failed" || kind === "watchword" || !before.has(`${call.sid} ${kind}`));
    if (fresh.length) this.#tell(fresh);
  }

  #tell(fresh) {
    for (const [call, reason] of fresh) {
      const sentence = say("why.new", { call: title(call, shortSid), why: reasonSentence(reason) });
      this.announce(sentence);
      if (this.notify.checked && document.hidden) this.#show(call, sentence);
    }
    if (this.sound.checked) this.#ring();
  }

  #show({ sid }, sentence) {
    const shown = new Notification(sentence, { tag: sid, icon: "dashboard/icon.svg" });
    shown.addEventListener("click", () => {
      window.focus();
      this.open(sid);
      shown.close();
    });
  }

  async #allow() {
    const wanted = this.notify.checked;
    const allowed = wanted && globalThis.Notification ? await Notification.requestPermission() : "denied";
    this.notify.checked = wanted && allowed === "granted";
    keepHabit("notify", this.notify.checked ? "on" : "off");
    if (wanted && !this.notify.checked) this.complain(say("bar.not-allowed"));
  }

  #ring() {
    this.#context ??= new AudioContext();
    this.#context.resume();
    const volume = new GainNode(this.#context, { gain: VOLUME });
    volume.connect(this.#context.destination);
    for (const [at, frequency] of TONES_HZ.entries()) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(volume);
      tone.start(this.#context.currentTime + at * TONE_SECONDS);
      tone.stop(this.#context.currentTime + (at + 1) * TONE_SECONDS);
    }
  }
}
