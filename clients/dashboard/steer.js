/**
 * The form of a pane by which an agent's call is steered: say, transfer, take over, hang up. All but words are asked about once more.
 */

import { say } from "./language.js";
import { mark, write } from "./template.js";

/** What is asked for beside the action: words, or whom the caller is connected with. */
const FIELDS = { say: "text", transfer: "to", "take-over": "to", "hang-up": null };

/** Whether an agent is on the line: the newest stream is one's. */
export function agentAnswers(call) {
  const started = call.lines.findLast((line) => line.kind === "started");
  return call.live && Boolean(started ? started.agent : call.agent);
}

export class SteeringForm {
  #sid = "";

  /** `root` is the pane's element. `give(message)` gives an order. */
  constructor(root, sid, give) {
    this.#sid = sid;
    this.give = give;
    this.form = root.querySelector(".steer");
    this.button = root.querySelector(".steer-open");
    this.action = this.form.querySelector(".action");
    this.field = this.form.querySelector("input");
    this.when = this.form.querySelector(".when");
    this.question = this.form.querySelector(".question");
    this.#wire();
    this.#chosen();
  }

  /** Show the button where the reader may steer and an agent is on the line. */
  draw(call, allowed) {
    const possible = allowed && agentAnswers(call);
    if (!possible) this.close();
    this.button.hidden = !possible;
  }

  /** Close the form, or only its question. Returns whether there was something to close. */
  escape() {
    if (this.form.hidden) return false;
    if (!this.question.hidden) this.#withdraw();
    else {
      this.close();
      this.button.focus();
    }
    return true;
  }

  close() {
    this.form.hidden = this.question.hidden = true;
    mark(this.button, "aria-expanded", "false");
  }

  #open() {
    this.form.hidden = false;
    mark(this.button, "aria-expanded", "true");
    this.#chosen();
    (this.field.hidden ? this.action : this.field).focus();
  }

  #wire() {
    this.button.addEventListener("click", () => (this.form.hidden ? this.#open() : this.close()));
    this.action.addEventListener("change", () => this.#chosen());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.action.value === "say") this.#give();
      else this.#ask();
    });
    this.question.querySelector(".yes").addEventListener("click", () => this.#give());
    this.question.querySelector(".no").addEventListener("click", () => this.#withdraw());
  }

  /** Show what the chosen action needs. */
  #chosen() {
    const action = this.action.value;
    const needed = FIELDS[action];
    this.question.hidden = true;
    this.field.hidden = needed === null;
    this.field.required = needed !== null;
    this.field.value = "";
    this.field.maxLength = 500;
    const label = needed === "text" ? say("steer.text") : say("steer.to");
    mark(this.field, "aria-label", label);
    mark(this.field, "placeholder", label);
    this.when.value = action === "say" ? "turn" : "now";
    write(this.form.querySelector(".give"), say(action === "say" ? "steer.give" : "steer.go-on"));
  }

  #ask() {
    write(this.question.querySelector("p"), say(`steer.sure-${this.action.value}`, { to: this.field.value.trim() }));
    this.question.hidden = false;
    this.question.querySelector(".no").focus();
  }

  #withdraw() {
    this.question.hidden = true;
    this.form.querySelector(".give").focus();
  }

  #give() {
    const action = this.action.value;
    const message = { action, callSid: this.#sid, when: this.when.value };
    if (FIELDS[action]) message[FIELDS[action]] = this.field.value.trim();
    this.give(message);
    this.#chosen();
    if (action === "say") this.field.focus();
    else this.close();
  }
}
