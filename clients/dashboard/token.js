/**
 * The hub's token: taken from the link or asked for, kept for this tab only, and what the page can read in it.
 */

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
  const rights = claims(token)?.rights;
  return Array.isArray(rights) && rights.includes(right);
}

/** When a token runs out, in Unix milliseconds; null if the page cannot read that. */
export function expiryMs(token) {
  const exp = claims(token)?.exp;
  return typeof exp === "number" ? exp * 1000 : null;
}

function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return null;
  }
}
