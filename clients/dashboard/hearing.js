/**
 * The bar of a call that is listened to: volume, mute, and how loud each side is now. Knows its elements. The sound is listen.js.
 */

import { say } from "./language.js";
import { mark, write } from "./template.js";

/** The quietest sound that a meter shows, in decibels below the loudest. A quiet telephone line hums at about -60. */
const QUIETEST_DB = -54;

/** How often the value of a meter is written for screen readers. Its picture moves in each frame. */
const WRITTEN_MS = 1000;

/** How far a level stands in its meter, from 0 to 1. `loudness` is the root mean square of samples between -1 and 1. */
export function metered(loudness) {
  if (loudness <= 0) return 0;
  return Math.max(0, Math.min(1, 1 - (20 * Math.log10(loudness)) / QUIETEST_DB));
}

export class Hearing {
  #frame = 0;
  #writtenAt = 0;

  /** `sound` is the page's Listening, `changed()` requests a drawing. */
  constructor(root, { sound, changed }) {
    this.root = root.querySelector(".hearing");
    this.sound = sound;
    this.mute = this.root.querySelector(".mute");
    this.volume = this.root.querySelector(".volume input");
    this.meters = ["inbound", "outbound"].map((track) => this.root.querySelector(`.level.${track}`));
    this.mute.addEventListener("click", () => {
      sound.mute();
      changed();
    });
    this.volume.addEventListener("input", () => {
      sound.volume = Number(this.volume.value);
      changed();
    });
  }

  /** Bring the bar up to date. `heard`: whether this call is the one that is listened to. */
  draw(heard, speakers) {
    this.root.hidden = !heard;
    if (!heard) {
      this.close();
      return;
    }
    mark(this.mute, "aria-pressed", String(this.sound.muted));
    if (document.activeElement !== this.volume) this.volume.value = this.sound.volume;
    mark(this.volume, "aria-valuetext", `${this.sound.volume} %`);
    for (const [at, name] of [speakers.inbound, speakers.outbound].entries()) {
      write(this.meters[at].querySelector(".whose"), name);
      mark(this.meters[at].querySelector(".meter"), "aria-label", say("hearing.level", { name }));
    }
    if (!this.#frame) this.#move();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #move() {
    this.#frame = requestAnimationFrame(() => this.#move());
    const now = performance.now();
    const told = now - this.#writtenAt > WRITTEN_MS;
    if (told) this.#writtenAt = now;
    for (const [at, loudness] of this.sound.loudness().entries()) {
      const meter = this.meters[at].querySelector(".meter");
      const level = metered(loudness);
      meter.firstElementChild.style.transform = `scaleX(${level.toFixed(2)})`;
      if (told) mark(meter, "aria-valuenow", Math.round(level * 100));
    }
  }
}
