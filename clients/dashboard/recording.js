/**
 * What the page knows of a call's recording, from its events and its summary. Pure.
 */

import { say } from "./language.js";

/** The events that change a recording. Also the end of the call does. */
export const RECORDING = new Set([
  "recording-started",
  "recording-paused",
  "recording-resumed",
  "recording-failed",
  "recording-stored",
  "recording-erased",
]);

/** Whether a call's recording can be played: the call is over, and the recording is there. */
export function playable({ live, recording }) {
  return !live && recording !== null;
}

/** The recording after one of its events, or after the end of the call: `{state, seconds, mediaType}`, or null if there is none. */
export function recorded(recording, event) {
  switch (event.type) {
    case "recording-stored":
      return { state: "stored", seconds: event.seconds, mediaType: event.mediaType };
    case "recording-erased":
      return null;
    case "call-ended":
      return recording === null || recording.state === "stored" ? recording : { ...recording, state: "spooled" };
    default:
      return { state: STATES[event.type], seconds: null, mediaType: "audio/wav" };
  }
}

const STATES = {
  "recording-started": "recording",
  "recording-paused": "paused",
  "recording-resumed": "recording",
  "recording-failed": "failed",
};

/** What is said of the recording where it cannot be played; empty if there is none. `allowed`: whether the reader may hear it. */
export function recordingSentence({ live, recording }, allowed) {
  if (recording === null) return "";
  if (live) return LIVE.has(recording.state) ? say(LIVE.get(recording.state)) : "";
  return allowed ? "" : say("recording.not-allowed");
}

const LIVE = new Map([
  ["recording", "recording.running"],
  ["paused", "recording.paused"],
  ["failed", "recording.failed"],
]);

/** The ending of the file's name. A recording that is not stored yet is not compressed. */
export function extension(recording) {
  return recording?.mediaType?.includes("flac") ? "flac" : "wav";
}
