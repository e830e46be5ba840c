/**
 * A call's timeline and statistics: who spoke when, overlaps, shares, pace. Pure. All times are seconds of call time.
 */

/** Words with a shorter pause than this between them are one piece of speech: the speaker only takes a breath. */
const BREATH_SECONDS = 0.7;

/** A shorter utterance while the other side speaks, "mhm" for example, neither interrupts nor ends a monologue. */
const LISTENING_SECONDS = 1;

/** An utterance that begins this close to the start or the end of the other side's is turn-taking, not an interruption. */
const TURN_SECONDS = 0.5;

/** After this much silence a monologue is over, even if nobody else has begun to speak. */
const PAUSE_SECONDS = 5;

/** With less speech than this, the pace would be a guess. */
const PACE_SECONDS = 5;

const TRACKS = ["inbound", "outbound"];

/** The other side of the call. */
export function other(track) {
  return track === "inbound" ? "outbound" : "inbound";
}

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
    if (line.kind === "final") picture.speech[line.track].push(...reckoned(line).pieces);
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
const RECKONED = new WeakMap();

function reckoned(line) {
  let known = RECKONED.get(line);
  if (!known) RECKONED.set(line, (known = { pieces: pieces(line), words: line.text.split(/\s+/).filter(Boolean).length }));
  return known;
}

/** An utterance's pieces of speech: from the times of its words, or the whole utterance if the provider gave none. */
function pieces(line) {
  const found = [];
  for (const { start, end } of line.words) {
    const last = found.at(-1);
    if (last && start - last[1] < BREATH_SECONDS) last[1] = Math.max(last[1], end);
    else found.push([start, end]);
  }
  return found.length ? found : [[line.start, line.end]];
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

/** The total length of a list of spans, in seconds. */
export function total(spans) {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0);
}

/**
 * The statistics. `share`: each track's part of all speech; null before anybody spoke. `monologue`: the longest one (track, start,
 * seconds), or null. `interruptions`: how often each track interrupted the other. `pace`: words per minute of a track's own speech; null if
 * there is too little speech.
 */
export function figures(lines, picture) {
  const said = lines.filter((line) => line.kind === "final" && !line.past);
  const talk = { inbound: total(picture.speech.inbound), outbound: total(picture.speech.outbound) };
  const all = talk.inbound + talk.outbound;
  const words = { inbound: 0, outbound: 0 };
  for (const line of said) words[line.track] += reckoned(line).words;
  const pace = (track) => (talk[track] >= PACE_SECONDS ? Math.round((words[track] * 60) / talk[track]) : null);
  return {
    share: all > 0 ? { inbound: talk.inbound / all, outbound: talk.outbound / all } : null,
    monologue: monologue(said),
    interruptions: interruptions(said),
    pace: { inbound: pace("inbound"), outbound: pace("outbound") },
  };
}

function monologue(said) {
  let longest = null;
  let run = null;
  for (const line of said) {
    if (run && line.track === run.track && line.start - run.end < PAUSE_SECONDS) run = { ...run, end: Math.max(run.end, line.end) };
    else if (run && line.end - line.start < LISTENING_SECONDS && line.end <= run.end + BREATH_SECONDS) continue;
    else run = { track: line.track, start: line.start, end: line.end };
    if (longest === null || run.end - run.start > longest.seconds) {
      longest = { track: run.track, start: run.start, seconds: run.end - run.start };
    }
  }
  return longest;
}

function interruptions(said) {
  const count = { inbound: 0, outbound: 0 };
  const latest = { inbound: null, outbound: null };
  for (const line of said) {
    const theirs = latest[other(line.track)];
    if (line.interrupted) count[other(line.track)] += 1; // an agent falls silent at once, so no overlap would show the interruption
    const within = theirs && !theirs.interrupted && line.start - theirs.start >= TURN_SECONDS && theirs.end - line.start >= TURN_SECONDS;
    if (within && line.end - line.start >= LISTENING_SECONDS) count[line.track] += 1;
    latest[line.track] = line;
  }
  return count;
}
