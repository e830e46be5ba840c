/**
 * The heads of the list's columns, and the choices of its order and density. Knows elements. The order itself is arrangement.js.
 */

import { COLUMNS, NEWEST } from "./arrangement.js";
import { say } from "./language.js";
import { habit, keepHabit } from "./reading_habits.js";
import { element, mark } from "./template.js";

const DENSITIES = ["roomy", "compact"];

export class Columns {
  #heads = new Map();

  /** `sorted()` is called when another order was chosen, `dense()` when another density was. */
  constructor({ sorted, dense }) {
    /** The column by which the calls are sorted; see arrangement.js. */
    this.sort = COLUMNS.includes(habit("sort")) ? habit("sort") : NEWEST;
    this.sorted = sorted;
    const root = document.getElementById("columns");
    root.append(...COLUMNS.map((column) => this.#head(column)), element("span", "column words", say("list.words")));
    this.order = document.getElementById("sort");
    this.order.append(new Option(say("list.usual"), NEWEST), ...COLUMNS.map((each) => new Option(say(`list.${each}`), each)));
    this.order.addEventListener("change", () => this.#choose(this.order.value));
    const density = document.getElementById("density");
    density.append(...DENSITIES.map((each) => new Option(say(`list.${each}`), each)));
    density.value = DENSITIES.includes(habit("density")) ? habit("density") : DENSITIES[0];
    mark(document.documentElement, "data-density", density.value);
    density.addEventListener("change", () => {
      keepHabit("density", density.value);
      mark(document.documentElement, "data-density", density.value);
      dense();
    });
    this.#draw();
  }

  #head(column) {
    const name = say(`list.${column}`);
    const head = element("button", `column ${column}`, name);
    head.type = "button";
    head.title = say("list.sort-by", { column: name });
    head.addEventListener("click", () => this.#choose(this.sort === column ? NEWEST : column));
    this.#heads.set(column, head);
    return head;
  }

  #choose(column) {
    this.sort = column;
    keepHabit("sort", column);
    this.#draw();
    this.sorted();
  }

  #draw() {
    this.order.value = this.sort;
    for (const [column, head] of this.#heads) mark(head, "aria-pressed", String(column === this.sort));
  }
}
