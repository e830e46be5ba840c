/**
 * Text that others chose, made safe to stand in a sentence of the page or in a copied line. The same rules as in the hub's
 * `foreign_text.py`. Pure. An element that holds nothing else needs none of this: `dir="auto"` keeps its text to itself.
 */

/** Control characters, among them every kind of line break, and Unicode's own line and paragraph separators. */
const BREAKS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g; // eslint-disable-line no-control-regex

/** Characters that turn the direction of all that follows, until another one ends it. A writer may leave the end out. */
const EMBEDDINGS = /[\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** A character that makes text run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** The text as one line, which acts on nothing that stands beside it. */
export function isolated(text) {
  const line = String(text).replace(BREAKS, " ").replace(EMBEDDINGS, "").replace(/ {2,}/g, " ").replace(/^ | $/g, "");
  return RIGHT_TO_LEFT.test(line) ? `\u2068${line}\u2069` : line;
}

/** A template literal whose values are isolated: `isolating\`${name} was not transcribed\``. */
export function isolating(strings, ...values) {
  return String.raw({ raw: strings }, ...values.map(isolated));
}
