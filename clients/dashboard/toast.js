/**
 * A short sentence about what the reader did, shown for a few seconds.
 */

const SHOWN_MS = 4000;

let unsaid = 0;

/** Show a sentence in place of the one before. */
export function toast(sentence) {
  const shown = document.getElementById("toast");
  shown.textContent = sentence;
  shown.hidden = false;
  clearTimeout(unsaid);
  unsaid = setTimeout(() => (shown.hidden = true), SHOWN_MS);
}
