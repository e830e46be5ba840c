/**
 * A call's timeline as a picture shows it: who spoke when, and overlaps. Pure. All times are seconds of call time.
 */

/** Words with a shorter pause than this between them are one piece of speech: the speaker only takes a breath. */
const BREATH_SECONDS = 0.7;

const TRACKS = ["inbound", "outbound"];

/** Lines that stand on the timeline as marks, and what they look like there. A tool that failed is a mark of its own kind. */
const MARKS = new Map([
  ["watchword", "alert"],
  ["tool", "tool"],
  ["lost", "trouble"],
  ["trouble", "trouble"],
  ["stream-error", "trouble"],
  ["missing", "trouble"],
  ["recording-failed", "trouble"],
]);

/** Outcomes of a tool that a supervisor wants to see. */
export const FAILED = new Set(["failed", "timeout"]);

/**
 * When each side spoke, from the transcript's own timings.
 *
 * Takes a call's lines and its open utterances. Returns lists of `[start, end]`: per track `speech`, `unsettled` and `gaps`, and for both
 * together `overlaps`; and `marks`, what happened and when: `{place, kind, line}`. `end` is the latest second of any of them.
 */
export function timeline(lines, open = {}) {
  const picture = settled(lines);
  const unsettled = { inbound: [], outbound: [] };
  for (const { track, start, end } of Object.values(open)) unsettled[track].push([start, end]);
  for (const track of TRACKS) unsettled[track] = joined(unsettled[track]);
  const spans = [...unsettled.inbound, ...unsettled.outbound];
  const end = spans.reduce((latest, span) => Math.max(latest, span[1]), picture.end);
  return { ...picture, unsettled, end, overlaps: spans.length ? withUnsettled(picture, unsettled, spans) : picture.overlaps };
}

/** A call of hours has thousands of lines, and its timeline is drawn again with each interim: what they say is computed once. */
const SETTLED = new WeakMap();

function settled(lines) {
  let known = SETTLED.get(lines);
  if (!known) SETTLED.set(lines, (known = reckonedLines(lines)));
  return known;
}

function reckonedLines(lines) {
  const speech = { inbound: [], outbound: [] };
  const gaps = { inbound: [], outbound: [] };
  const wrong = new Set(lines.filter((line) => line.kind === "watchword-wrong").map((line) => line.alert));
  const marks = [];
  let end = 0;
  for (const line of lines) {
    if (line.past) continue;
    if (line.kind === "final") speech[line.track].push(...pieces(line));
    else if (line.kind === "gap") gaps[line.track].push([line.start, line.end]);
    else if (line.kind === "ended") end = Math.max(end, line.duration);
    else if (MARKS.has(line.kind) && !wrong.has(line.id)) {
      marks.push({ place: line.place, kind: FAILED.has(line.outcome) ? "failed" : MARKS.get(line.kind), line });
    }
  }
  for (const track of TRACKS) {
    speech[track] = joined(speech[track]);
    gaps[track] = joined(gaps[track]);
    for (const list of [speech[track], gaps[track]]) end = Math.max(end, list.at(-1)?.[1] ?? 0);
  }
  marks.sort((a, b) => a.place - b.place);
  return { speech, gaps, marks, overlaps: overlaps(speech.inbound, speech.outbound), end };
}

/** The overlaps when open utterances count, too: those before the first of them are the same. */
function withUnsettled({ speech, overlaps: before }, unsettled, spans) {
  const from = Math.min(...spans.map(([start]) => start));
  const [left, right] = TRACKS.map((track) => joined([...speech[track].filter(([, end]) => end > from), ...unsettled[track]]));
  return [...before.filter(([, end]) => end <= from), ...overlaps(left, right).filter(([, end]) => end > from)];
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
