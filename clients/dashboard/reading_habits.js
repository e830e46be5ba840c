/**
 * What a reader chose and wants to find again: kept in the browser. Where nothing may be kept, as in a page that is embedded elsewhere, it
 * lasts until the page is closed.
 */

const PREFIX = "transcript-hub-";

const HERE = new Map();

/** What was chosen; `otherwise` if nothing was. */
export function habit(name, otherwise = "") {
  if (HERE.has(name)) return HERE.get(name);
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep a choice. */
export function keepHabit(name, value) {
  HERE.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // kept above, for as long as the page is open
  }
}
