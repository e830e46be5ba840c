/**
 * The hub's token: taken from the link or asked for, once, and kept for this tab only.
 */

import { say } from "./language.js";

const STORED = "transcript-hub-token";

/** The token of this tab, or null. A token from the link replaces a kept one. */
export function tokenOf(fromLink) {
  if (fromLink) keep(fromLink);
  try {
    return fromLink ?? sessionStorage.getItem(STORED);
  } catch {
    return fromLink; // a page that is embedded elsewhere may have no storage
  }
}

/** Keep a token for this tab; null removes it. */
export function keep(token) {
  try {
    if (token === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, token);
  } catch {
    // without storage the page asks again after a reload
  }
}

/**
 * Whether a token has a right, as far as the page can read it: only the hub decides. Without a token, the hub is open and says itself what
 * it refuses.
 */
export function hasRight(token, right) {
  if (token === null) return true;
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Array.isArray(claims.rights) && claims.rights.includes(right);
  } catch {
    return false;
  }
}

/** Ask for a token. `given(token)` is called with it. `wrong`: the page had a token that the hub did not accept. */
export function ask(wrong, given) {
  const gate = document.getElementById("gate");
  const form = document.getElementById("gate-form");
  const field = document.getElementById("gate-token");
  document.getElementById("gate-why").textContent = say(wrong ? "token.wrong" : "token.why");
  gate.hidden = false;
  field.value = "";
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (!token) return;
    gate.hidden = true;
    keep(token);
    given(token);
  };
}
