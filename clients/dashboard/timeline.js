/**
 * A call's timeline as a picture shows it: who spoke when, and overlaps. Pure. All times are seconds of call time.
 */

/** Words with a shorter pause than this between them are one piece of speech: the speaker only takes a breath. */
const BREATH_SECONDS = 0.7;

const TRACKS = ["inbound", "outbound"];

/**
 * When each side spoke, from the transcript's own timings.
 *
 * Takes a call's lines and its open utterances. Returns lists of `[start, end]`: per track `speech`, `unsettled` and `gaps`, and for both
 * together `overlaps`. `end` is the latest second of any of them.
 */
export function timeline(lines, open = {}) {
  const picture = {
    speech: { inbound: [], outbound: [] },
    unsettled: { inbound: [], outbound: [] },
    gaps: { inbound: [], outbound: [] },
    overlaps: [],
    end: 0,
  };
  for (const line of lines) {
    if (line.past) continue;
    if (line.kind === "final") picture.speech[line.track].push(...pieces(line));
    else if (line.kind === "gap") picture.gaps[line.track].push([line.start, line.end]);
    else if (line.kind === "ended") picture.end = Math.max(picture.end, line.duration);
  }
  for (const each of Object.values(open)) picture.unsettled[each.track].push([each.start, each.end]);
  for (const track of TRACKS) {
    picture.speech[track] = joined(picture.speech[track]);
    for (const list of [picture.speech[track], picture.unsettled[track], picture.gaps[track]]) {
      for (const [, end] of list) picture.end = Math.max(picture.end, end);
    }
  }
  picture.overlaps = overlaps(
    joined([...picture.speech.inbound, ...picture.unsettled.inbound]),
    joined([...picture.speech.outbound, ...picture.unsettled.outbound]),
  );
  return picture;
}

/** What never changes of a line is computed once: a call of hours has thousands of lines, and its timeline is drawn again every second. */
const PIECES = new WeakMap();

/** An utterance's pieces of speech: from the times of its words, or the whole utterance if the provider gave none. */
function pieces(line) {
  const known = PIECES.get(line);
  if (known) return known;
  const found = [];
  for (const { start, end } of line.words) {
    const last = found.at(-1);
    if (last && start - last[1] < BREATH_SECONDS) last[1] = Math.max(last[1], end);
    else found.push([start, end]);
  }
  if (found.length === 0) found.push([line.start, line.end]);
  PIECES.set(line, found);
  return found;
}

function joined(spans) {
  const result = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]); // a copy, because the given pairs are used again for the next drawing
  }
  return result;
}

function overlaps(left, right) {
  const found = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    const start = Math.max(left[l][0], right[r][0]);
    const end = Math.min(left[l][1], right[r][1]);
    if (start < end) found.push([start, end]);
    if (left[l][1] < right[r][1]) l += 1;
    else r += 1;
  }
  return found;
}
