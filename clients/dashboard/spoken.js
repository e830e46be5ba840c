/**
 * Which words are said at a moment of a call, and when a place in a text is said. Pure. All times are seconds of call time, all places are
 * characters of a line's text.
 */

/** How far on in a text the next word is looked for. A word that is written otherwise must not be taken for a later one. */
const AHEAD_CHARACTERS = 28;

/** After its last word a line stays lit for so long, so that it does not flicker in a speaker's breath. */
const LINGER_SECONDS = 0.4;

/** Scripts that have no spaces between words: a word may stand anywhere in a line. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

const LETTER = /[\p{L}\p{N}]/u;

/** What never changes of a line is computed once. */
const ALIGNED = new WeakMap();

/**
 * The pieces of a line's text with their times: `{from, to, start, end}`, in order. A line without words is one piece.
 *
 * Providers write numbers, names and punctuation otherwise in the text than in its words: "20" for "twenty". What stands between two words
 * that were found is one piece, which is said from the first to the last of the words that were not.
 */
export function pieces(line) {
  let known = ALIGNED.get(line);
  if (!known) ALIGNED.set(line, (known = aligned(line)));
  return known;
}

function aligned({ text, words, start, end }) {
  const found = words.length ? located(text, words) : [];
  if (!found.some((at) => at !== null)) return text ? [{ from: 0, to: text.length, start, end }] : [];
  const made = [];
  let lost = []; // words in a row that are not in the text as they are
  let edge = 0;
  for (const [at, word] of words.entries()) {
    const place = found[at];
    if (place === null) {
      lost.push(word);
      continue;
    }
    between(made, text, edge, place.from, lost);
    made.push({ ...place, start: word.start, end: word.end });
    [lost, edge] = [[], place.to];
  }
  between(made, text, edge, text.length, lost);
  return made;
}

/** Add what stands between two words that were found, if words were said there. */
function between(made, text, from, to, lost) {
  if (!lost.length) return;
  const gap = text.slice(from, to);
  const bare = gap.trim();
  if (LETTER.test(bare)) {
    const first = from + gap.indexOf(bare);
    made.push({ from: first, to: first + bare.length, start: lost[0].start, end: lost.at(-1).end });
  } else if (made.length) made.at(-1).end = lost.at(-1).end; // they have no text of their own
}

/** Where each word stands in the text: `{from, to}`, or null. */
function located(text, words) {
  const within = text.toLowerCase();
  if (within.length !== text.length) return words.map(() => null); // lower case has another length: no place is better than a wrong one
  let edge = 0;
  return words.map((word) => {
    const bare = trimmed(word.text.toLowerCase());
    if (!bare) return null;
    for (let at = within.indexOf(bare, edge); at >= 0 && at - edge <= AHEAD_CHARACTERS; at = within.indexOf(bare, at + 1)) {
      if (!alone(within, at, bare)) continue;
      edge = at + bare.length;
      return { from: at, to: edge };
    }
    return null;
  });
}

function trimmed(word) {
  return word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
}

/** Whether a word stands here by itself, and not as a part of another. */
function alone(text, at, word) {
  if (UNSPACED.test(word)) return true;
  return !LETTER.test(text[at - 1] ?? " ") && !LETTER.test(text[at + word.length] ?? " ");
}

/** The piece of a line that is said at this moment; in a pause the one before it; null before its first. */
export function pieceAt(line, seconds) {
  let said = null;
  for (const piece of pieces(line)) {
    if (piece.start > seconds) break;
    said = piece;
  }
  return said;
}

/** When the word at this place of a line's text is said. */
export function momentOf(line, place) {
  const known = pieces(line);
  const piece = known.find(({ to }) => place < to) ?? known.at(-1);
  return piece?.start ?? line.start;
}

/** The spoken lines of a call in the order of their starts, for `linesAt`. */
export function spokenLines(lines) {
  return lines.filter((line) => line.kind === "final" && !line.past && !line.unspoken);
}

/** The lines that are said at this moment: at most one per track, the one that began last. Takes `spokenLines`. */
export function linesAt(spoken, seconds) {
  const found = new Map();
  for (let at = after(spoken, seconds) - 1; at >= 0 && found.size < 2; at -= 1) {
    const line = spoken[at];
    if (seconds - line.start > MOST_SECONDS) break;
    if (!found.has(line.track)) found.set(line.track, seconds <= line.end + LINGER_SECONDS ? line : null);
  }
  return [...found.values()].filter((line) => line !== null).sort((a, b) => a.start - b.start);
}

/** The last spoken line that began by this moment; null if there is none. Takes `spokenLines`. */
export function lineBefore(spoken, seconds) {
  return spoken[after(spoken, seconds) - 1] ?? null;
}

/** No line is longer: what began earlier is over. */
const MOST_SECONDS = 600;

/** The index of the first line that begins after this moment. */
function after(spoken, seconds) {
  let [low, high] = [0, spoken.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spoken[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}
