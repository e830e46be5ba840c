/**
 * What to request from the hub, given what the page shows. Pure: returns messages and sends none.
 */

import { LONG_REPLAY } from "./call.js";

/** How many of a call's last events the list requests: enough for its last words. */
const TAIL_EVENTS = 30;

/** How many of a call's last events are requested when it is opened, before all others: more than a screen. */
const OPENING_EVENTS = 60;

/** How many live calls the list follows although they are not in view, so that the filter finds their words. The newest are followed. */
export const MAX_FOLLOWED = 400;

/**
 * Which calls are wanted, and how: "full" or "opening" for open calls, "tail" for calls in the list. Takes the callSids of the open and of the visible
 * calls.
 *
 * Nothing new happens in an ended call, so the list follows it only until it has the last words.
 */
export function wanted(state, panes, visible) {
  const wants = new Map();
  const live = [];
  for (const call of state.calls.values()) if (call.live && call.known) live.push(call);
  if (live.length > MAX_FOLLOWED) live.sort((a, b) => (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0));
  for (const call of live.slice(0, MAX_FOLLOWED)) wants.set(call.sid, "tail");
  for (const sid of visible) {
    const call = state.calls.get(sid);
    if (call?.known && (call.live || (call.latest === null && call.head.offset > 0 && !whole(call)))) wants.set(sid, "tail");
  }
  for (const sid of panes) {
    const call = state.calls.get(sid);
    if (call?.known) wants.set(sid, call.depth === "opening" ? "opening" : "full");
  }
  return wants;
}

function whole(call) {
  return call.epoch === call.head.epoch && call.offset !== null && call.offset >= call.head.offset;
}

/** The messages that turn what was requested on this connection into what is wanted. Changes `asked`, a Map like the result of `wanted`. */
export function due(state, wants, asked) {
  const messages = [];
  for (const [sid, depth] of asked) {
    const want = wants.get(sid);
    // A running subscription can go on as the other kind if it has a position or brings the whole call. A tail without one starts anew.
    const call = state.calls.get(sid);
    const goes = want === depth || depth === "full" || call?.offset !== null;
    if (want !== undefined && goes && !(depth === "full" && unread(call))) continue;
    messages.push({ action: "unsubscribe", callSid: sid });
    asked.delete(sid);
  }
  for (const [sid, depth] of wants) {
    const call = state.calls.get(sid);
    if (!asked.has(sid)) {
      const message = subscription(sid, call, depth);
      messages.push(message);
      asked.set(sid, message.after ? depth : "full"); // the tail of a young call is the whole call
    } else if (call.offset !== null) asked.set(sid, depth);
  }
  return messages;
}

/** Whether the hub's answer showed that a call is too long to be opened from its beginning: see `subscribed` in call.js. */
function unread(call) {
  return call !== undefined && call.depth === "opening" && call.following && call.offset === null;
}

function subscription(sid, call, depth) {
  const message = { action: "subscribe", callSid: sid, interims: true };
  if (call.offset !== null) return { ...message, after: { epoch: call.epoch, offset: call.offset } };
  if (depth === "full") return message;
  const { epoch, offset } = call.head;
  const [most, asked] = depth === "opening" ? [LONG_REPLAY, OPENING_EVENTS] : [TAIL_EVENTS, TAIL_EVENTS];
  return epoch !== null && offset > most ? { ...message, after: { epoch, offset: offset - asked } } : message;
}
