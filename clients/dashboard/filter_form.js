/**
 * The form above the list: the search field, the fields behind *Filters*, and what is set of them as buttons that take it away again. Knows
 * the fields. Does not know the calls.
 */

import { DIRECTIONS, EVERYTHING, isEmpty, parts, same, STATES } from "./filter.js";
import { say } from "./language.js";
import { element, mark } from "./template.js";

export class FilterForm {
  #filter = EVERYTHING;
  #chipsOf = "";

  /**
   * `filtered(filter, how)` is called with each change: `how` is "typing" while words are typed, "step" for anything that the back button
   * should undo. `entered()` is called on Enter.
   */
  constructor({ filtered, entered }) {
    this.filtered = filtered;
    this.form = document.getElementById("filter-form");
    this.field = document.getElementById("filter");
    this.more = document.getElementById("narrow");
    this.button = document.getElementById("narrow-open");
    this.chips = document.getElementById("chips");
    this.form.elements.state.append(...STATES.map((each) => new Option(say(`state.${each}`), each)));
    this.form.elements.direction.append(...DIRECTIONS.map((each) => new Option(say(`direction.${each}`), each)));
    this.form.addEventListener("input", (event) => event.target === this.field && this.#changed("typing"));
    this.form.addEventListener("change", (event) => event.target.name in EVERYTHING && event.target !== this.field && this.#changed("step"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#changed("step");
      entered();
    });
    this.button.addEventListener("click", () => this.#open(this.more.hidden));
    document.getElementById("narrow-clear").addEventListener("click", () => this.clear());
    this.chips.addEventListener("click", (event) => this.#taken(event.target.closest("button")?.dataset.part));
  }

  /** Show a filter in the fields: one that came with the address. */
  show(filter) {
    this.#filter = filter;
    for (const [name, value] of Object.entries(filter)) {
      const field = this.#field(name);
      if (field.value.trim() !== value) field.value = value;
    }
    this.#drawChips();
  }

  /** Take all of the filter away. Returns whether there was any. */
  clear() {
    if (isEmpty(this.#filter)) return false;
    this.show(EVERYTHING);
    this.filtered(EVERYTHING, "step");
    return true;
  }

  /** Set a part of the filter to a value, or take it away if it has this value. */
  toggle(name, value) {
    this.show({ ...this.#filter, [name]: this.#filter[name] === value ? "" : value });
    this.filtered(this.#filter, "step");
  }

  /** Close the fields behind *Filters*. Returns whether they were open. */
  escape() {
    if (this.more.hidden || !this.form.contains(document.activeElement)) return false;
    this.#open(false);
    this.button.focus();
    return true;
  }

  #field(name) {
    return name === "q" ? this.field : this.form.elements[name];
  }

  #changed(how) {
    const filter = Object.fromEntries(Object.keys(EVERYTHING).map((name) => [name, this.#field(name).value.trim()]));
    if (same(filter, this.#filter)) return;
    // The first word is a step, so that the back button leads to the list before; those after it only better it.
    const step = how === "step" || this.#filter.q === "" || filter.q === "";
    this.#filter = filter;
    this.#drawChips();
    this.filtered(filter, step ? "step" : "typing");
  }

  #open(open) {
    this.more.hidden = !open;
    mark(this.button, "aria-expanded", String(open));
    this.#drawChips();
    if (open) this.more.querySelector("input").focus();
  }

  #taken(name) {
    if (!name) return;
    this.#field(name).value = "";
    this.#changed("step");
    (this.chips.querySelector("button") ?? this.button).focus();
  }

  /** What is set is to be seen also while the fields are closed. */
  #drawChips() {
    const set = this.more.hidden ? parts(this.#filter) : [];
    const made = JSON.stringify(set);
    if (made === this.#chipsOf) return;
    this.#chipsOf = made;
    this.chips.replaceChildren(
      ...set.map(([name, text]) => {
        const chip = element("li");
        const button = element("button", "", text);
        button.type = "button";
        button.dataset.part = name;
        button.title = say("list.take-away");
        chip.append(button);
        return chip;
      }),
    );
    this.chips.hidden = set.length === 0;
  }
}
