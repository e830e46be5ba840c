/**
 * Elements from the page's `<template>`s. Text is always inserted as text, so that what a caller says can never become markup.
 */

/** Clone a template's only element. */
export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Set an element's text. Does not touch the document if the text is the same. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute if it is different. `undefined`, `null` and `false` remove it, `true` sets it to the empty string. */
export function mark(element, name, value) {
  const wanted = value === undefined || value === null || value === false ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === wanted) return;
  if (wanted === null) element.removeAttribute(name);
  else element.setAttribute(name, wanted);
}

/** Create an element with a class and a text. */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** Close a menu as soon as the focus leaves it. A press on a label in it takes the focus away for a moment. */
export function closesWhenLeft(menu) {
  menu.addEventListener("focusout", (event) => {
    const stays = event.relatedTarget === null ? menu.matches(":hover") : menu.contains(event.relatedTarget);
    if (!stays) menu.open = false;
  });
}
