/**
 * Plays the recording of one call: the browser fetches it by ranges, so an hour of it begins at once. Costs nothing until it is used.
 *
 * Knows the sound. Does not know words, nor how a player looks.
 */

/** How fast a recording can be played. */
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** Which side can be heard: the caller is the left channel, the other side the right one. */
const CHANNELS = { inbound: 0, outbound: 1 };

/** The one that plays now: two calls at once nobody understands. */
let playing = null;

export class Player {
  #sound = null;
  #context = null;
  #gains = null;
  #seconds = 0;
  #speed = 1;
  #side = "both";
  #frame = 0;

  /** `address()` returns where the recording is, `moved()` is called while it plays, `failed()` when the browser cannot play it. */
  constructor({ address, moved, failed }) {
    this.address = address;
    this.moved = moved;
    this.failed = failed;
  }

  /** The moment of the call, in seconds. */
  get seconds() {
    return this.#sound === null ? this.#seconds : this.#sound.currentTime;
  }

  get playing() {
    return this.#sound !== null && !this.#sound.paused && !this.#sound.ended;
  }

  /** Whether anything was played, so that the reader wants to see where it stands. */
  get used() {
    return this.#sound !== null;
  }

  /** The address that the recording was fetched from; null before it was. */
  get loaded() {
    return this.#sound?.src ?? null;
  }

  /** Start, or go on. Call it from a click or a key: browsers play no sound otherwise. */
  play() {
    if (playing !== this) playing?.pause();
    playing = this;
    this.#load();
    if (this.#sound.ended) this.#sound.currentTime = 0;
    this.#context?.resume();
    const sound = this.#sound;
    sound.play().catch((error) => sound === this.#sound && error.name !== "AbortError" && this.#broken());
  }

  pause() {
    this.#sound?.pause();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Go to a moment of the call. It plays on from there if it plays. */
  seek(seconds) {
    this.#seconds = Math.max(0, seconds);
    if (this.#sound !== null) this.#sound.currentTime = this.#seconds;
    this.moved();
  }

  /** Play at this speed, with the voices at their height. */
  speed(rate) {
    this.#speed = rate;
    if (this.#sound !== null) this.#sound.playbackRate = rate;
  }

  /** Play "both" sides as they are, or one track alone on both ears. Returns whether this browser can. */
  side(side) {
    this.#side = side;
    if (this.#sound !== null && side !== "both") this.#connect();
    this.#mix();
    return side === "both" || this.#gains !== null;
  }

  /** The file is another one now, such as the compressed one that is kept: fetch that, and go on where it was. */
  renew() {
    if (this.#sound === null) return;
    const { playing: plays, seconds } = this;
    this.close();
    this.#seconds = seconds;
    if (plays) this.play();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.pause();
    this.#sound?.removeAttribute("src");
    this.#sound?.load(); // so that the browser does not fetch on
    this.#context?.close();
    this.#sound = this.#context = this.#gains = null;
    if (playing === this) playing = null;
  }

  #load() {
    if (this.#sound !== null && this.#sound.error === null) return;
    const from = this.seconds;
    this.close();
    playing = this;
    const sound = (this.#sound = new Audio());
    for (const name of ["play", "pause", "ended", "seeked", "timeupdate"]) sound.addEventListener(name, () => this.#follow(sound));
    sound.addEventListener("error", () => sound === this.#sound && this.#broken());
    sound.preload = "auto";
    sound.src = this.address();
    sound.currentTime = from;
    sound.defaultPlaybackRate = sound.playbackRate = this.#speed;
    if (this.#side !== "both") this.side(this.#side);
  }

  #broken() {
    this.#seconds = this.seconds;
    this.close();
    this.failed();
  }

  /** Call back in each frame while it plays: the browser's own event comes four times a second, and words are shorter. */
  #follow(sound) {
    if (sound !== this.#sound) return;
    cancelAnimationFrame(this.#frame);
    this.moved();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#follow(sound));
  }

  /** Put a mixer between the recording and the ears. A recording is never taken out of it again, so it is made only when a side is chosen. */
  #connect() {
    if (this.#context !== null) return;
    try {
      const context = new AudioContext();
      const splitter = context.createChannelSplitter(2);
      const merger = context.createChannelMerger(2);
      this.#gains = [0, 1].map((from) =>
        [0, 1].map((to) => {
          const gain = context.createGain();
          splitter.connect(gain, from);
          gain.connect(merger, 0, to);
          return gain;
        }),
      );
      context.createMediaElementSource(this.#sound).connect(splitter);
      merger.connect(context.destination);
      this.#context = context;
      context.resume();
    } catch {
      this.#context = this.#gains = null; // both sides are heard, as before
    }
  }

  #mix() {
    const only = CHANNELS[this.#side];
    for (const [from, row] of this.#gains?.entries() ?? []) {
      for (const [to, gain] of row.entries()) gain.gain.value = Number(only === undefined ? from === to : from === only);
    }
  }
}
