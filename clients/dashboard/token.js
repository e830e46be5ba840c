/**
 * The hub's token: taken from the link once, or asked for once; kept for this tab only.
 */

const STORED = "transcript-hub-token";

/** The token of this tab: what came with the link wins, and is kept. Null when there is none. */
export function tokenOf(fromLink) {
  if (fromLink) keep(fromLink);
  try {
    return fromLink ?? sessionStorage.getItem(STORED);
  } catch {
    return fromLink; // a page embedded elsewhere may be denied storage
  }
}

/** Keep a token for this tab; null forgets it. */
export function keep(token) {
  try {
    if (token === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, token);
  } catch {
    // then it is asked for again after a reload
  }
}

/** Ask for a token; `given(token)` gets it. */
export function ask(wrong, given) {
  const gate = document.getElementById("gate");
  const form = document.getElementById("gate-form");
  const field = document.getElementById("gate-token");
  document.getElementById("gate-why").textContent = wrong
    ? "The token that this page had is wrong or has expired. Ask whoever runs the hub for another."
    : "Its calls are not for everyone. Ask whoever runs the hub for a token, or make one with: python -m hub token";
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
