/**
 * How a timeline's seconds become pixels: all of a call in the width that there is, or a part of it. And spans as boxes of whole pixels, of
 * which there are never more than pixels, however long a call is. Pure.
 */

/** The least of a call that fills the width, in seconds: there a word is wide enough for a click. */
const LEAST_SHOWN_SECONDS = 15;

/** How far labels of an axis stand apart at least, in pixels. */
const LABEL_PX = 72;

/** Distances of labels that people count in, in seconds. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400];

/**
 * A scale for a call of so many `seconds` in a `width` of pixels. `perSecond`: how many pixels a second shall have; null to show all of the
 * call.
 */
export function scaleOf(seconds, width, perSecond = null) {
  const whole = width / seconds;
  const most = Math.max(whole, width / LEAST_SHOWN_SECONDS);
  const used = perSecond === null ? whole : Math.max(whole, Math.min(most, perSecond));
  return { seconds, width, perSecond: used, px: Math.max(width, seconds * used), zoomed: used > whole, closest: used >= most };
}

/** Where the left edge must be, in pixels, so that a moment stays at a place of the view when the scale changes. */
export function leftFor(scale, seconds, placePx) {
  return Math.max(0, Math.min(scale.px - scale.width, seconds * scale.perSecond - placePx));
}

/** The moments at which an axis has labels, in seconds, between two moments. */
export function labels(scale, from, to) {
  const step = STEPS.find((each) => each * scale.perSecond >= LABEL_PX) ?? STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/**
 * Spans as boxes `[left, width]` in pixels from `from` on. Takes spans that are in order and apart. Boxes that would touch are one, and none
 * is too thin to be seen.
 */
export function boxes(spans, scale, from, to, leastPx = 1) {
  const found = [];
  for (let at = firstAfter(spans, from); at < spans.length && spans[at][0] <= to; at += 1) {
    const left = Math.floor(Math.max(-1, (spans[at][0] - from) * scale.perSecond));
    const right = Math.max(left + leastPx, Math.ceil(Math.min(scale.width + 1, (spans[at][1] - from) * scale.perSecond)));
    const last = found.at(-1);
    if (last && left <= last[0] + last[1]) last[1] = Math.max(last[1], right - last[0]);
    else found.push([left, right - left]);
  }
  return found;
}

/** Marks `{place, …}` in order as groups that stand at least so many pixels apart: lists of marks. */
export function groups(marks, scale, from, to, apartPx) {
  const found = [];
  let edge = Number.NEGATIVE_INFINITY;
  for (const each of marks) {
    if (each.place < from || each.place > to) continue;
    const px = each.place * scale.perSecond;
    if (px - edge < apartPx) found.at(-1).push(each);
    else {
      found.push([each]);
      edge = px;
    }
  }
  return found;
}

/** The index of the first span that ends after a moment. */
function firstAfter(spans, seconds) {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle][1] < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}
