/**
 * Getting text out of the page: the clipboard and downloads.
 */

/** Put text on the clipboard. Raises when the browser does not let us. */
export async function copyText(text) {
  if (navigator.clipboard && isSecureContext && window === window.top) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // A hub on a plain-http address in the office has no clipboard interface, and another tool's page may not let us use it; a selection can
  // still be copied.
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  if (!done) throw new Error("the browser did not copy");
}

/** Fetch a file of the hub and save it. The token goes in a header, so that it gets into no history and no log. */
export async function download(url, name, token) {
  const answer = await fetch(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  if (!answer.ok) throw new Error(answer.status === 404 ? "the hub no longer has this call" : `the hub answered ${answer.status}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the save may begin a little later
}
