/**
 * Times, durations and numbers as people read them. Pure. Does not know calls.
 */

import { dateLocale, say } from "./language.js";

/** Call time: `0:07`, `12:34`, `1:02:03`. Takes seconds and drops the fraction. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Call time as in the hub's transcript.txt: `03:07.5`. A copied line is then the same text as a downloaded one. */
export function stamp(seconds) {
  const tenths = Math.round(seconds * 10);
  const hours = Math.floor(tenths / 36_000);
  const minutes = String(Math.floor(tenths / 600) % 60).padStart(2, "0");
  const rest = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
  return `${hours ? `${hours}:` : ""}${minutes}:${rest}.${tenths % 10}`;
}

/** A duration in words: `12 s`, `3 min 5 s`, `2 h 10 min`. Takes milliseconds. */
export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 60)} h`;
}

/**
 * A phone number in groups that never break over two lines. Only North American numbers are grouped: other countries have rules of their
 * own.
 */
export function phone(number) {
  const match = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return match ? `+1\u00a0${match[1]}\u00a0${match[2]}\u00a0${match[3]}` : number;
}

/** A callSid short enough for a heading: its first and last characters. */
export function shortSid(sid) {
  return sid.length > 14 ? `${sid.slice(0, 6)}…${sid.slice(-4)}` : sid;
}

/** Date and time as the reader's own locale writes them: `24 Nov 2026, 10:00:07`. Takes Unix milliseconds. */
export function wholeTime(ms, locale = dateLocale(), timeZone = undefined) {
  return formatter("whole", { dateStyle: "medium", timeStyle: "medium" }, locale, timeZone).format(ms);
}

/** The time of day as the reader's own locale writes it, without seconds. Takes Unix milliseconds. */
export function timeOfDay(ms, locale = dateLocale(), timeZone = undefined) {
  return formatter("time", { hour: "numeric", minute: "2-digit" }, locale, timeZone).format(ms);
}

/** A day as the reader's own locale writes it, short: `24 Nov 2026`. Takes Unix milliseconds. */
export function day(ms, locale = dateLocale(), timeZone = undefined) {
  return formatter("day", { day: "numeric", month: "short", year: "numeric" }, locale, timeZone).format(ms);
}

/** The heading for the calls of a day: `Today`, `Yesterday`, or the day with its name. Takes Unix milliseconds of a moment and of now. */
export function dayHeading(ms, nowMs, locale = dateLocale()) {
  const [then, now] = [new Date(ms), new Date(nowMs)];
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (sameDay(then, now)) return say("day.today");
  if (sameDay(then, yesterday)) return say("day.yesterday");
  return formatter("heading", { weekday: "long", day: "numeric", month: "long", year: "numeric" }, locale).format(ms);
}

/** Whether two Dates are on one day in the reader's time zone. */
function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

/** To make a formatter takes longer than to write a thousand times with it. */
const FORMATTERS = new Map();

function formatter(name, options, locale, timeZone) {
  const key = `${name} ${locale} ${timeZone}`;
  if (!FORMATTERS.has(key)) FORMATTERS.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone }));
  return FORMATTERS.get(key);
}

/** A share of one as a whole percentage. */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}
