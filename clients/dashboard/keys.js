/**
 * The keyboard: which key does what, and the help that lists the keys. Single keys can be switched off, for people who use speech input.
 */

import { say } from "./language.js";
import { habit, keepHabit } from "./reading_habits.js";
import { element } from "./template.js";

/** Key, action and meaning, in the order of the help. A key without an action is handled by the element that has the focus. */
const KEYS = [
  ["/", "filter", "search"],
  ["j", "down", "down"],
  ["k", "up", "up"],
  ["Enter", null, "enter"],
  ["b", "beside", "beside"],
  ["g", "grid", "grid"],
  ["a", "attention", "attention"],
  ["l", "list", "list"],
  ["t", "transcript", "transcript"],
  ["f", "find", "find"],
  ["d", "details", "details"],
  ["s", "listen", "listen"],
  ["m", "mute", "mute"],
  ["Space", "play", "play"],
  ["p", "play", "play-too"],
  ["e", "latest", "latest"],
  ["c", null, "copy"],
  ["y", null, "link"],
  ["← →", null, "arrows"],
  ["+ -", null, "zoom"],
  ["Esc", "escape", "escape"],
  ["?", "help", "help"],
];

/** How the browser calls the keys that have a name. */
const CALLED = { Esc: "Escape", Space: " " };

const NAMES = new Map(KEYS.filter(([, name]) => name).map(([key, name]) => [CALLED[key] ?? key, name]));
NAMES.set("ArrowDown", "down").set("ArrowUp", "up");

/** Call `does[name]()` for keys pressed outside text fields. */
export function listenForKeys(does) {
  const dialog = document.getElementById("help");
  const single = document.getElementById("help-single");
  single.checked = habit("single-keys") !== "off";
  single.addEventListener("change", () => keepHabit("single-keys", single.checked ? "on" : "off"));
  document.getElementById("help-keys").replaceChildren(
    ...KEYS.flatMap(([key, , meaning]) => {
      const term = element("dt");
      term.append(...key.split(" ").map((each) => element("kbd", "", each)));
      return [term, element("dd", "", say(`key.${meaning}`))];
    }),
  );
  document.getElementById("help-open").addEventListener("click", () => dialog.showModal());
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const name = NAMES.get(event.key);
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === " " && event.target.closest?.("button, a, summary, label")) return; // there it presses
    if (name === undefined || (typing && name !== "escape")) return;
    if (event.key.startsWith("Arrow") && !event.target.closest?.("#calls") && event.target !== document.body) return; // they scroll there
    if (event.key.length === 1 && !single.checked) return;
    if (name === "help") dialog.showModal();
    else if (does[name]?.() === false) return;
    event.preventDefault();
  });
}
