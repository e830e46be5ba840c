/**
 * How many calls fit side by side. Pure: takes the size of the room in CSS pixels.
 */

/** Below this size a call's newest lines are too few to follow it. */
const LEAST_WIDTH_PX = 400;
const LEAST_HEIGHT_PX = 230;

/** A grid has three rows and three columns at most: nobody follows more than nine calls. */
const MOST = 3;

/** A grid of fewer calls than this is no grid. */
export const LEAST_CALLS = 4;

/** How many calls a grid shows in a room of this size: 4 to 9, or 0 where it has no room for four. */
export function capacity(width, height) {
  const fits = Math.min(MOST, Math.floor(width / LEAST_WIDTH_PX)) * Math.min(MOST, Math.floor(height / LEAST_HEIGHT_PX));
  return fits >= LEAST_CALLS ? fits : 0;
}

/** In how many columns so many calls stand in a room of this width. */
export function columns(calls, width) {
  return Math.max(1, Math.min(Math.ceil(Math.sqrt(calls)), calls <= 2 ? calls : Math.floor(width / LEAST_WIDTH_PX)));
}
