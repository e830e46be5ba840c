/**
 * What the page knows of a call's recording, from its events and its summary. Pure.
 */

/** Whether a call's recording can be played: the call is over, and the recording is there. */
export function playable({ live, recording }) {
  return !live && recording !== null && !["failed", "lost", "erased"].includes(recording.state);
}

/** The recording after one event of the call. */
export function recorded(recording, event) {
  switch (event.type) {
    case "recording-started":
    case "recording-resumed":
      return { ...(recording ?? NONE), state: "recording" };
    case "recording-paused":
      return { ...(recording ?? NONE), state: "paused" };
    case "recording-stored":
      return { state: "stored", seconds: event.seconds ?? recording?.seconds ?? null, mediaType: event.mediaType ?? "audio/flac" };
    default:
      return recording;
  }
}

/** The ending of the file's name. A recording that is not stored yet is not compressed. */
export function extension(recording) {
  return recording?.mediaType?.includes("flac") ? "flac" : "wav";
}

const NONE = { state: "recording", seconds: null, mediaType: null };

/** What is said of the recording where it cannot be played; empty if there is none. `allowed`: whether the reader may hear it. */
export function recordingSentence({ live, recording }, allowed) {
  if (recording === null) return "";
  if (live) return recording.state === "paused" ? "Recording is paused: what is said now is not kept" : "This call is recorded";
  return allowed || !playable({ live, recording }) ? "" : "This call was recorded. Your token does not let you hear it.";
}
