/**
 * A call's statistics as rows of names and values. Pure: the hub has counted, and its documentation says what each figure means.
 */

import { clock, percent } from "./format.js";
import { say } from "./language.js";

/** What stands in the place of a figure that is not known yet. */
const UNKNOWN = "–";

/**
 * Rows of a name and its values, each value `[track, whose, text]`; track and whose are empty for what concerns both sides. `statistics` are
 * null before the first come. All rows are always there, so that nothing below them moves. `interruptions`: how often the agent was
 * interrupted; null where no agent answers.
 */
export function figureRows(statistics, speakers, interruptions = null) {
  const sides = statistics?.sides.inbound.talkShare == null ? null : statistics.sides;
  const both = (text) => ["inbound", "outbound"].map((track) => [track, speakers[track], sides ? text(sides[track]) : UNKNOWN]);
  const whole = (text) => [["", "", sides ? text(statistics) : UNKNOWN]];
  const rows = [
    [say("figure.talk"), both((side) => percent(side.talkShare))],
    [say("figure.monologue"), sides ? monologue(sides, speakers) : whole()],
    [say("figure.interruptions"), both((side) => String(side.interruptions))],
    [say("figure.pace"), both((side) => known(side.wordsPerMinute, 0))],
    [say("figure.response"), both((side) => known(side.meanResponseSeconds, 1, " s"))],
    [say("figure.silence"), whole(({ silenceSeconds, seconds, start }) => percent(silenceSeconds / (seconds - start || 1)))],
    [say("figure.dead-air"), whole(({ deadAirs, deadAirSeconds }) => (deadAirs ? say("figure.times", { n: deadAirs, length: clock(deadAirSeconds) }) : "0"))],
    [say("figure.cross-talk"), whole(({ crossTalkSeconds }) => `${crossTalkSeconds.toFixed(1)} s`)],
  ];
  if (interruptions !== null) rows.push([say("figure.agent-interrupted"), [["outbound", "", String(interruptions)]]]);
  return rows;
}

function monologue({ inbound, outbound }, speakers) {
  const [track, longest] =
    inbound.longestMonologueSeconds >= outbound.longestMonologueSeconds ? ["inbound", inbound] : ["outbound", outbound];
  const { longestMonologueSeconds, longestMonologueStart } = longest;
  return [[track, speakers[track], say("figure.monologue-at", { length: clock(longestMonologueSeconds), at: clock(longestMonologueStart) })]];
}

function known(value, digits, unit = "") {
  return value === null ? UNKNOWN : `${value.toFixed(digits)}${unit}`;
}
