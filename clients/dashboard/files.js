/**
 * Takes text out of the page: copies it to the clipboard and downloads files.
 */

import { say } from "./language.js";

/** Copy text to the clipboard. Throws if the browser does not allow it. */
export async function copyText(text) {
  if (navigator.clipboard && isSecureContext && window === window.top) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // The clipboard interface is missing on plain http, as in an office, and may be forbidden where another tool embeds this page. There a
  // selection can still be copied.
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  if (!done) throw new Error(say("why-not.copy"));
}

/**
 * Copy text that is still on its way. Browsers allow copying only for moments after a click, so the clipboard gets the promise at once
 * where it takes one. Throws if the text does not come, or if the browser does not allow it.
 */
export async function copyLater(text) {
  if (!navigator.clipboard?.write || !isSecureContext || window !== window.top) {
    await copyText(await text);
    return;
  }
  const file = text.then((come) => new Blob([come], { type: "text/plain" }));
  try {
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": file })]);
  } catch (error) {
    await text; // if the text did not come, its own error says why
    throw error;
  }
}

/** Fetch a file from the hub. The token is sent in a header, so that no history and no log contains it. Throws with the reason in words. */
export async function fetched(url, token, method = "GET", headers = {}) {
  let answer;
  try {
    answer = await fetch(url, { method, headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers });
  } catch {
    throw new Error(say("why-not.reach"));
  }
  if (answer.ok) return answer;
  if (answer.status === 404 && method === "GET") throw new Error(say(url.endsWith("/recording") ? "why-not.no-recording" : "why-not.no-call"));
  const body = await answer.json().catch(() => null);
  throw new Error(body?.error?.message ?? say("why-not.answered", answer));
}

/** Why a browser could not play what is at this address, in words. */
export async function reasonAgainst(url, token) {
  try {
    const answer = await fetched(url, token, "GET", { Range: "bytes=0-0" });
    await answer.body?.cancel();
    return say("why-not.format");
  } catch (error) {
    return error.message;
  }
}

/** Ask the hub for a page of calls: `{calls, next}`, or `{problem}` in words. */
export async function asked(url, token, signal) {
  try {
    const answer = await fetch(url, { signal, headers: token ? { Authorization: `Bearer ${token}` } : {} });
    const body = await answer.json().catch(() => null);
    if (answer.ok && Array.isArray(body?.calls)) return { calls: body.calls, next: body.next ?? null };
    return { problem: body?.error?.message ?? say("why-not.answered", answer) };
  } catch {
    return { problem: say("why-not.reach") };
  }
}

/** Fetch a file from the hub and save it. */
export async function download(url, name, token) {
  const answer = await fetched(url, token);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser may start saving a little later
}
