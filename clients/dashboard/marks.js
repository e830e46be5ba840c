/**
 * What happened in a call as marks along its timeline: watchwords, tools, trouble. Each is a button that goes to its moment. Marks that
 * would cover each other are one. One of them is in the order of Tab; arrow keys go from mark to mark.
 */

import { isolated } from "./foreign.js";
import { clock } from "./format.js";
import { say } from "./language.js";
import { groups } from "./scale.js";
import { outcome, sentence } from "./sentences.js";
import { element, mark } from "./template.js";

/** How far marks stand apart at least, in pixels: the width of a button. */
const APART_PX = 20;

/** How many of the things that one mark stands for its label names. */
const NAMED = 3;

/** What a group of marks looks like: the first of these that is in it. */
const KINDS = ["alert", "failed", "trouble", "tool"];

export class Marks {
  /** The buttons by the id of their first line. */
  #buttons = new Map();
  #current = null;

  /** `go(seconds)` shows a moment of the call. */
  constructor(root, go) {
    this.root = root;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) go(Number(button.dataset.seconds));
    });
    root.addEventListener("focusin", (event) => this.#select(event.target));
    root.addEventListener("keydown", (event) => this.#keyed(event));
  }

  /** Draw the marks between two moments. */
  draw(marks, scale, from, to) {
    this.root.hidden = marks.length === 0;
    const found = groups(marks, scale, from, to, APART_PX);
    const wanted = new Set(found.map(([{ line }]) => line.id));
    for (const [id, button] of this.#buttons) {
      if (wanted.has(id)) continue;
      button.remove();
      this.#buttons.delete(id);
    }
    let before = null;
    for (const group of found) {
      const button = this.#button(group[0].line.id);
      fill(button, group);
      button.style.left = `${Math.round(group[0].place * scale.perSecond)}px`;
      const next = before ? before.nextElementSibling : this.root.firstElementChild;
      if (next !== button) this.root.insertBefore(button, next);
      before = button;
    }
    if (!this.#current?.isConnected) this.#select(this.root.firstElementChild);
  }

  #button(id) {
    let button = this.#buttons.get(id);
    if (!button) {
      this.#buttons.set(id, (button = element("button")));
      button.type = "button";
      button.tabIndex = -1;
    }
    return button;
  }

  #select(button) {
    if (button === this.#current) return;
    if (this.#current) this.#current.tabIndex = -1;
    this.#current = button;
    if (button) button.tabIndex = 0;
  }

  #keyed(event) {
    const button = event.target.closest("button");
    const to = { ArrowLeft: button?.previousElementSibling, ArrowRight: button?.nextElementSibling }[event.key];
    if (!to) return;
    to.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

/** What the lines of a group say is written once: they are drawn again with every new word. */
const FILLED = new WeakMap();

function fill(button, group) {
  const lines = group.map(({ line }) => line);
  const known = FILLED.get(button);
  if (known?.length === lines.length && known.every((line, at) => line === lines[at])) return;
  FILLED.set(button, lines);
  const label = described(lines);
  mark(button, "aria-label", label);
  mark(button, "title", label);
  mark(button, "data-kind", KINDS.find((kind) => group.some((each) => each.kind === kind)));
  mark(button, "data-many", lines.length > 1);
  button.dataset.seconds = lines[0].place;
}

function described(lines) {
  const named = lines.slice(0, NAMED).map((line) => `${clock(line.place)} ${short(line)}`);
  const more = lines.length - named.length;
  return [...named, ...(more > 0 ? [say("strip.more", { n: more })] : [])].join(" · ");
}

/** A line in few words: of a tool, without its arguments and its result. */
function short(line) {
  return line.kind === "tool" ? `${isolated(line.tool)} ${outcome(line)}` : sentence(line);
}
