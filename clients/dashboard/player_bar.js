/**
 * The bar of a call's recording: play and pause, where it stands, how fast, which side. While the call lives it says instead whether it is
 * recorded. Knows its elements. The sound is player.js, the words are following.js.
 */

import { clock } from "./format.js";
import { say } from "./language.js";
import { Player, SPEEDS } from "./player.js";
import { playable, recordingSentence } from "./recording.js";
import { mark, write } from "./template.js";

export class PlayerBar {
  #call = null;
  #length = 0;
  #sidesOf = "";
  #type = null;

  /**
   * `address()` returns where the recording is, `moved(seconds, playing)` is called when it moves, `why()` promises in words why it cannot
   * be played, `record(action)` pauses or resumes a running recording.
   */
  constructor(root, { address, moved, why, record }) {
    this.root = root.querySelector(".player");
    this.live = root.querySelector(".recorded");
    this.record = record;
    this.button = this.root.querySelector(".play");
    this.unplayable = this.root.querySelector(".unplayable");
    this.player = new Player({
      address,
      moved: () => {
        this.#draw();
        moved(this.player.seconds, this.player.playing);
      },
      failed: () => this.#failed(why),
    });
    this.button.addEventListener("click", () => this.toggle());
    this.#wireChoices();
    const pause = this.live.querySelector(".record-pause");
    pause.addEventListener("click", () => this.record(this.#call.recording.state === "paused" ? "resume" : "pause"));
  }

  /** Whether the recording can be played now. */
  get ready() {
    return !this.root.hidden;
  }

  /** Bring the bar up to date with the call. `allowed`: whether the reader may hear recordings, and pause them. */
  draw(call, allowed) {
    this.#call = call;
    this.root.hidden = !allowed || !playable(call);
    if (this.root.hidden && this.player.used) this.player.close();
    const sentence = recordingSentence(call, allowed);
    this.live.hidden = sentence === "";
    write(this.live.firstElementChild, sentence);
    mark(this.live, "data-state", call.recording?.state ?? false);
    const pause = this.live.querySelector(".record-pause");
    pause.hidden = !allowed || !call.live || call.recording?.state === "failed";
    write(pause, say(call.recording?.state === "paused" ? "player.resume-recording" : "player.pause-recording"));
    if (this.root.hidden) return;
    if (this.#type !== null && this.#type !== call.recording.mediaType) this.player.renew();
    this.#type = call.recording.mediaType;
    this.#length = call.recording.seconds ?? call.duration ?? 0;
    this.#nameSides(call.speakers);
    this.#draw();
  }

  /** Play or pause. Returns whether there is anything to play. */
  toggle() {
    if (!this.ready) return false;
    write(this.unplayable, "");
    this.player.toggle();
    return true;
  }

  /** Play from this moment on. */
  from(seconds) {
    write(this.unplayable, "");
    this.player.seek(Math.min(seconds, this.#length || seconds));
    this.player.play();
  }

  /** Go to this moment, without playing if it does not play. */
  seek(seconds) {
    this.player.seek(seconds);
  }

  /** The page has another token: the recording is fetched with that from now on. */
  renew() {
    if (this.player.used && this.player.loaded !== this.player.address()) this.player.renew();
  }

  close() {
    this.player.close();
  }

  #wireChoices() {
    const speed = this.root.querySelector(".speed select");
    speed.append(...SPEEDS.map((each) => new Option(`${each}×`, each, each === 1, each === 1)));
    speed.addEventListener("change", () => this.player.speed(Number(speed.value)));
    const side = this.root.querySelector(".side select");
    side.append(new Option(say("player.both"), "both"), new Option("", "inbound"), new Option("", "outbound"));
    side.addEventListener("change", () => {
      if (this.player.side(side.value) || !this.player.used) return;
      side.value = "both";
      this.player.side("both");
      write(this.unplayable, say("player.both-only"));
    });
  }

  #nameSides({ inbound, outbound }) {
    const made = `${inbound}\n${outbound}`;
    if (made === this.#sidesOf) return;
    this.#sidesOf = made;
    const options = this.root.querySelectorAll(".side option");
    for (const [at, name] of [inbound, outbound].entries()) write(options[at + 1], say("player.only", { name }));
  }

  #draw() {
    const { seconds, playing } = this.player;
    write(this.button, say(playing ? "player.pause" : "player.play"));
    mark(this.button, "data-playing", playing);
    write(this.root.querySelector(".now"), clock(seconds));
    write(this.root.querySelector(".length"), clock(this.#length));
  }

  #failed(why) {
    this.#draw();
    write(this.unplayable, say("player.failed"));
    why().then((reason) => write(this.unplayable, say("player.failed-why", { reason })));
  }
}
