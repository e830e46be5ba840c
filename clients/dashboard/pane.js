/**
 * One open call: its heading, its timeline and statistics, its transcript, and its buttons.
 */

import { why } from "./attention.js";
import { lasted } from "./call.js";
import { answeredBy } from "./filter.js";
import { Following } from "./following.js";
import { isolated } from "./foreign.js";
import { clock, phone, shortSid } from "./format.js";
import { Hearing } from "./hearing.js";
import { say } from "./language.js";
import { fileOf, momentLink } from "./place.js";
import { extension } from "./recording.js";
import { figureRows } from "./figures.js";
import { sentence, title } from "./sentences.js";
import { SteeringForm } from "./steer.js";
import { PlayerBar } from "./player_bar.js";
import { Strip } from "./strip.js";
import { clone, closesWhenLeft, element, mark, write } from "./template.js";
import { Transcript } from "./transcript.js";

/** In a call with more lines than this, a search waits for a pause in typing, because a single letter is in every line. */
const MANY_LINES = 500;
const TYPING_MS = 150;

/** In a smaller window, as a phone or a page at 200 %, a call opens without its details: they would take most of it. */
const LOW = matchMedia("(max-height: 34rem), (max-width: 30rem) and (max-height: 42rem)");

export class Pane {
  #call = null;
  #figuresOf = "";
  /** Whether the reader opened the details, or closed them; null if neither: then the room decides. */
  #details = null;
  #typing = 0;

  /** `does` has the page's actions: `close(sid)`, `back()`, `copy(text, said)`, `copyAll(call)`, `download(sid, kind)`, `listen(sid)`,
   * `draw()`, `steer(message)`, `sound` (the page's Listening), and for the recording `recording(sid)`, `why(sid)`, `record(sid, action)`. */
  constructor(sid, base, does) {
    this.sid = sid;
    this.does = does;
    this.base = base;
    this.root = clone("pane");
    this.root.dataset.sid = sid;
    const moment = (seconds) => momentLink(base, sid, seconds);
    this.transcript = new Transcript(this.root.querySelector(".transcript"), {
      copy: does.copy,
      moment,
      moved: () => this.strip.view(this.transcript.inView()),
    });
    this.strip = new Strip(this.root.querySelector(".timeline"), (seconds) => {
      this.goTo(seconds);
      does.draw();
    });
    this.following = new Following({
      transcript: this.transcript,
      button: this.root.querySelector(".follow"),
      from: (seconds) => this.bar.from(seconds),
    });
    this.bar = new PlayerBar(this.root, {
      address: () => does.recording(sid),
      moved: (seconds, playing) => this.#heard(seconds, playing),
      why: () => does.why(sid),
      record: (action) => does.record(sid, action),
    });
    this.hearing = new Hearing(this.root, { sound: does.sound, changed: does.draw });
    this.steering = new SteeringForm(this.root, sid, does.steer);
    this.find = this.root.querySelector(".find");
    this.menu = this.root.querySelector(".menu");
    this.#wire();
  }

  /** Go to a moment of the call, also in its recording. */
  goTo(seconds) {
    this.following.join();
    this.transcript.goTo(seconds);
    this.bar.seek(seconds);
  }

  /** Play or pause the recording. Returns whether there is one. */
  play() {
    return this.bar.toggle();
  }

  close() {
    this.following.close();
    this.bar.close();
    this.hearing.close();
    this.strip.close();
    this.transcript.close();
    this.root.remove();
  }

  /** Focus the transcript. */
  focus() {
    this.root.querySelector(".scroll").focus({ preventScroll: true });
  }

  /**
   * Draw the call. `nowMs` is the hub's clock, `listening` the callSid that is listened to; null where listening is not allowed. `audio`:
   * whether recordings may be played. `steer`: whether the reader may steer agents.
   *
   * Returns whether there is more to draw.
   */
  draw(call, nowMs, { online, listening, audio, steer }) {
    this.#call = call;
    const seconds = lasted(call, nowMs);
    write(this.root.querySelector(".title"), title(call, shortSid));
    mark(this.root, "aria-label", say("pane.call", { title: title(call, shortSid) }));
    mark(this.find, "aria-label", say("pane.within", { title: title(call, shortSid) }));
    const more = about(call);
    write(this.root.querySelector(".about"), more);
    mark(this.root.querySelector(".about"), "title", more); // shows what a narrow window cuts off
    this.root.classList.toggle("ended", !call.live || !online);
    write(this.root.querySelector(".lasted-state"), lifeSentence(call, online));
    write(this.root.querySelector(".lasted-time"), seconds === null ? "" : clock(seconds));
    this.#drawTrouble(call);
    this.menu.hidden = !call.known;
    this.#drawDetails(call);
    this.#drawListen(call, listening);
    this.steering.draw(call, steer && online);
    this.#drawRecording(call, audio);
    this.strip.name(call.speakers);
    this.strip.draw(call, seconds);
    this.#drawFigures(call);
    const busy = this.transcript.draw(call, nowMs);
    mark(this.root.querySelector(".scroll"), "aria-label", say("pane.transcript-of", { title: title(call, shortSid) }));
    this.strip.view(this.transcript.inView());
    return busy;
  }

  /** Open the details of the call, or close them. Returns true: the key was used. */
  toggleDetails() {
    this.#details = this.root.hasAttribute("data-brief");
    this.does.draw();
    return true;
  }

  #drawDetails(call) {
    const nothing = !call.known && call.lines.length === 0;
    const open = this.#details ?? !(LOW.matches || document.body.hasAttribute("data-grid"));
    this.root.querySelector(".overview").hidden = nothing || !open;
    const button = this.root.querySelector(".details-open");
    button.hidden = nothing;
    mark(button, "aria-expanded", String(open));
    mark(this.root, "data-brief", !open);
  }

  /** Open the search within the call. Returns true: the key was used. */
  openFind() {
    this.find.hidden = false;
    mark(this.root.querySelector(".find-open"), "aria-expanded", "true");
    this.#field.select();
    this.#field.focus();
    return true;
  }

  /** Start or stop listening. Returns whether that is possible now. */
  listen() {
    const button = this.root.querySelector(".listen");
    if (button.hidden) return false;
    button.click();
    return true;
  }

  /** Close the menu or the search. Returns whether one was open. */
  escape() {
    if (this.menu.open) {
      this.menu.open = false;
      this.menu.querySelector("summary").focus();
      return true;
    }
    if (this.steering.escape()) return true;
    if (this.find.hidden) return false;
    this.find.hidden = true;
    this.#field.value = "";
    this.transcript.find("", []);
    mark(this.root.querySelector(".find-open"), "aria-expanded", "false");
    this.focus();
    return true;
  }

  get #field() {
    return this.find.querySelector("input");
  }

  #wire() {
    const on = (selector, does) => this.root.querySelector(selector).addEventListener("click", does);
    on(".details-open", () => this.toggleDetails());
    on(".close", () => this.does.close(this.sid));
    on(".back", () => this.does.back());
    on(".find-open", () => (this.find.hidden ? this.openFind() : this.escape()));
    on(".find-close", () => this.escape());
    on(".previous", () => this.#stepped(-1));
    on(".copy-all", () => this.does.copyAll(this.#call));
    on(".listen", () => this.does.listen(this.sid));
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#searched(), (this.#call?.lines.length ?? 0) > MANY_LINES ? TYPING_MS : 0);
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey) return;
      event.preventDefault();
      this.#stepped(-1);
    });
    this.find.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#stepped(1);
    });
    for (const link of this.menu.querySelectorAll("a")) {
      link.href = fileOf(this.base, this.sid, link.dataset.kind);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.menu.open = false;
        this.does.download(this.sid, link.dataset.kind, extension(this.#call?.recording));
      });
    }
    closesWhenLeft(this.menu);
  }

  #searched() {
    const lines = this.#call?.lines ?? [];
    const count = this.transcript.find(this.#field.value, lines);
    // The newest match comes first: in a live call, people usually look for what was just said.
    if (count) this.#stepped(-1);
    else write(this.find.querySelector(".count"), this.#field.value.trim() ? say("pane.not-found") : "");
  }

  #stepped(by) {
    const at = this.transcript.step(by, this.#call?.lines ?? []);
    write(this.find.querySelector(".count"), this.#matched(at));
  }

  #matched(at) {
    if (at) return say("pane.match", { at, all: this.transcript.matches });
    return this.#field.value.trim() ? say("pane.not-found") : "";
  }

  #drawTrouble(call) {
    // A switch is shown in the transcript and in the list. It is no alarm.
    const lost = call.live && call.trouble?.kind === "lost";
    const reason = why(call);
    write(this.root.querySelector(".trouble .condition"), reason);
    write(this.root.querySelector(".trouble .detail"), lost ? sentence({ ...call.trouble }) : "");
    mark(this.root.querySelector(".trouble"), "data-shown", lost || reason !== "");
  }

  #drawListen(call, listening) {
    const button = this.root.querySelector(".listen");
    button.hidden = listening === null || !call.live;
    this.hearing.draw(listening === this.sid, call.speakers);
    if (listening === null) return;
    button.classList.toggle("on", listening === this.sid);
    write(button, say(listening === this.sid ? "pane.stop-listening" : "pane.listen"));
  }

  #drawRecording(call, audio) {
    this.bar.draw(call, audio);
    this.following.playable = this.bar.ready;
    if (this.bar.ready) this.following.take(call.lines);
    const sound = this.menu.querySelector(".sound");
    sound.hidden = !this.bar.ready;
    if (this.bar.ready) write(sound.querySelector("small"), `.${extension(call.recording)}`);
    this.strip.play(this.bar.ready ? this.bar.player.seconds : null);
  }

  /** Show what is heard now. */
  #heard(seconds, playing) {
    if (!this.bar.ready) return;
    this.following.show(seconds, playing);
    this.strip.play(seconds);
  }

  /** Show the hub's statistics: the page counts nothing itself. Also before the first of them: figures that came later would move the words. */
  #drawFigures({ statistics, speakers, live, agent, interruptions }) {
    const rows = statistics === null && !live ? [] : figureRows(statistics, speakers, agent || interruptions ? interruptions : null);
    const text = JSON.stringify(rows);
    if (text === this.#figuresOf) return;
    this.#figuresOf = text;
    this.root.querySelector(".figures").replaceChildren(
      ...rows.map(([name, values]) => {
        const row = element("div");
        row.append(element("dt", "", name), ...values.map(([track, who, value]) => figure(track, who, value)));
        return row;
      }),
    );
  }
}

function lifeSentence(call, online) {
  if (call.live) return say(online ? "pane.live" : "pane.last-seen");
  return call.duration === null ? "" : say("pane.ended");
}

function figure(track, who, value) {
  const made = element("dd", track);
  if (who) made.append(element("bdi", "whose", who), " ");
  made.append(element("span", "", value));
  return made;
}

function about(call) {
  const parts = [];
  const shown = title(call, shortSid);
  if (call.from && call.to) {
    parts.push(shown === phone(call.to) ? say("pane.from", { number: phone(call.from) }) : say("pane.to", { number: phone(call.to) }));
  }
  parts.push(say("pane.both", { one: call.speakers.inbound, other: call.speakers.outbound }));
  for (const each of [answeredBy(call), call.queue, call.provider]) if (each && !Object.values(call.speakers).includes(each)) parts.push(isolated(each));
  if (call.from || call.to) parts.push(shortSid(call.sid));
  return parts.join(" · ");
}
