/**
 * The keyboard: which key does what, and the help that lists the keys. Single keys can be switched off, for people who use speech input.
 */

import { element } from "./template.js";

const STORED = "transcript-hub-single-keys";

/** Key, action and meaning, in the order of the help. A key without an action is handled by the element that has the focus. */
const KEYS = [
  ["/", "filter", "Search the calls"],
  ["j", "down", "Next call; in a transcript: next line"],
  ["k", "up", "Previous call; in a transcript: previous line"],
  ["Enter", null, "Open the call; in a search: next match; on a line: play from there"],
  ["b", "beside", "Open the call beside the one that is open"],
  ["l", "list", "Go to the list"],
  ["t", "transcript", "Go to the transcript; again: the other one"],
  ["f", "find", "Find in the call"],
  ["s", "listen", "Listen to the call, where the hub allows it; again: stop"],
  ["Space", "play", "Play the recording; again: pause"],
  ["p", "play", "The same, also while a button has the focus"],
  ["e", "latest", "Jump to latest"],
  ["c", null, "Copy the line"],
  ["y", null, "Copy the link to the line's moment"],
  ["← →", null, "In the picture of the call: 5 seconds back or on, also in its recording"],
  ["Esc", "escape", "Close what is open, then the call"],
  ["?", "help", "This help"],
];

/** How the browser calls the keys that have a name. */
const CALLED = { Esc: "Escape", Space: " " };

const NAMES = new Map(KEYS.filter(([, name]) => name).map(([key, name]) => [CALLED[key] ?? key, name]));
NAMES.set("ArrowDown", "down").set("ArrowUp", "up");

/** Call `does[name]()` for keys pressed outside text fields. */
export function listenForKeys(does) {
  const dialog = document.getElementById("help");
  const single = document.getElementById("help-single");
  single.checked = stored() !== "off";
  single.addEventListener("change", () => store(single.checked ? "on" : "off"));
  document.getElementById("help-keys").replaceChildren(
    ...KEYS.flatMap(([key, , meaning]) => {
      const term = element("dt");
      term.append(...key.split(" ").map((each) => element("kbd", "", each)));
      return [term, element("dd", "", meaning)];
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

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // a page embedded elsewhere may be denied storage
  }
}

function store(value) {
  try {
    localStorage.setItem(STORED, value);
  } catch {
    // without storage the choice lasts until the page is closed
  }
}
