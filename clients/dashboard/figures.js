/**
 * A call's statistics as rows of names and values. Pure: the hub has counted, and its documentation says what each figure means.
 */

import { clock, counted, percent } from "./format.js";

/** Rows of a name and its values, each value `[track, whose, text]`; track and whose are empty for what concerns both sides. */
export function figureRows(statistics, speakers) {
  const { inbound, outbound } = statistics.sides;
  if (inbound.talkShare === null) return [];
  const both = (text) => [
    ["inbound", speakers.inbound, text(inbound)],
    ["outbound", speakers.outbound, text(outbound)],
  ];
  const rows = [
    ["Talk", both((side) => percent(side.talkShare))],
    ["Longest monologue", monologue(statistics.sides, speakers)],
    ["Interruptions", both((side) => String(side.interruptions))],
    ["Words a minute", both((side) => known(side.wordsPerMinute, 0))],
    ["Answers after", both((side) => known(side.meanResponseSeconds, 1, " s"))],
    ["Silence", [["", "", percent(statistics.silenceSeconds / (statistics.seconds - statistics.start || 1))]]],
  ];
  if (statistics.deadAirs) rows.push(["Dead air", [["", "", `${counted(statistics.deadAirs, "time")}, ${clock(statistics.deadAirSeconds)}`]]]);
  if (statistics.crossTalkSeconds) rows.push(["Both at once", [["", "", `${statistics.crossTalkSeconds.toFixed(1)} s`]]]);
  return rows;
}

function monologue({ inbound, outbound }, speakers) {
  const [track, longest] =
    inbound.longestMonologueSeconds >= outbound.longestMonologueSeconds ? ["inbound", inbound] : ["outbound", outbound];
  return [[track, speakers[track], `${clock(longest.longestMonologueSeconds)} at ${clock(longest.longestMonologueStart)}`]];
}

function known(value, digits, unit = "") {
  return value === null ? "–" : `${value.toFixed(digits)}${unit}`;
}
