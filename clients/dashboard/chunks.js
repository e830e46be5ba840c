/**
 * Lines in the document, grouped in chunks. A browser lays out and paints a chunk only when it comes into view, and there are far fewer
 * chunks to watch than lines. Knows elements. Does not know what they say.
 */

import { element } from "./template.js";

/** A chunk's size, about a screen or two: large enough that there are few, small enough to be laid out between two frames. */
const CHUNK_LINES = 40;

/** Insert a line before another one, or at the end if `before` is null. */
export function place(log, line, before) {
  if (before !== null) {
    const chunk = before.parentElement;
    chunk.insertBefore(line, before);
    if (chunk.childElementCount > 2 * CHUNK_LINES) split(chunk);
    return;
  }
  let last = log.lastElementChild;
  if (last === null || last.childElementCount >= CHUNK_LINES) last = log.appendChild(element("div", "chunk"));
  last.append(line);
}

function split(chunk) {
  const rest = element("div", "chunk");
  rest.append(...[...chunk.children].slice(CHUNK_LINES));
  chunk.after(rest);
}

/** Remove a line. */
export function remove(line) {
  const chunk = line.parentElement;
  line.remove();
  if (chunk.childElementCount === 0) chunk.remove();
}

/** The line after this one (`by` 1) or before it (-1), across chunks; null at the ends. */
export function neighbour(line, by) {
  const [sibling, edge] = by > 0 ? ["nextElementSibling", "firstElementChild"] : ["previousElementSibling", "lastElementChild"];
  return line[sibling] ?? line.parentElement[sibling]?.[edge] ?? null;
}

/** The first line whose lower edge is below `y`, in pixels of the viewport; null when all are above. */
export function firstBelow(log, y) {
  const chunk = first(log.children, y);
  return chunk === null ? null : first(chunk.children, y);
}

function first(elements, y) {
  let [low, high] = [0, elements.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (elements[middle].getBoundingClientRect().bottom <= y) low = middle + 1;
    else high = middle;
  }
  return elements[low] ?? null;
}
