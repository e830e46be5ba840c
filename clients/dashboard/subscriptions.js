/**
 * What to ask the hub for, given what the page shows. Pure: returns messages, sends none.
 */

/** Durable events that the list asks for of a call it has not seen: enough for its last words. */
const TAIL_EVENTS = 30;

/** Live calls whose words the list follows even while they are scrolled out of view, so that the filter finds them: the newest ones. */
export const MAX_FOLLOWED = 400;

/**
 * Which calls are wanted, and how: "full" for those open on screen, "tail" for the list's. Takes callSids of the open and the visible ones.
 *
 * An ended call says nothing new, so the list follows one only until it has its last words.
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
  for (const sid of panes) if (state.calls.get(sid)?.known) wants.set(sid, "full");
  return wants;
}

function whole(call) {
  return call.epoch === call.head.epoch && call.offset !== null && call.offset >= call.head.offset;
}

/** The messages that turn what was asked of this connection into what is wanted. Changes `asked`, a Map like the one of `wanted`. */
export function due(state, wants, asked) {
  const messages = [];
  for (const [sid, depth] of asked) {
    const want = wants.get(sid);
    // A subscription that has its position goes on as the other kind, and so does one that gets the whole call. A tail begins anew.
    if (want !== undefined && (want === depth || depth === "full" || state.calls.get(sid)?.offset !== null)) continue;
    messages.push({ action: "unsubscribe", callSid: sid });
    asked.delete(sid);
  }
  for (const [sid, depth] of wants) {
    const call = state.calls.get(sid);
    if (!asked.has(sid)) {
      const message = subscription(sid, call, depth);
      messages.push(message);
      asked.set(sid, message.after ? depth : "full"); // a young call's tail is the whole of it
    } else if (call.offset !== null) asked.set(sid, depth);
  }
  return messages;
}

function subscription(sid, call, depth) {
  const message = { action: "subscribe", callSid: sid, interims: true };
  if (call.offset !== null) return { ...message, after: { epoch: call.epoch, offset: call.offset } };
  if (depth === "full") return message;
  const { epoch, offset } = call.head;
  return epoch !== null && offset > TAIL_EVENTS ? { ...message, after: { epoch, offset: offset - TAIL_EVENTS } } : message;
}
