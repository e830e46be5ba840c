/**
 * Elements from the page's `<template>`s. Text only ever goes in as text, so what a caller says can never become markup.
 */

/** Clone a template's only element. */
export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Set an element's text, touching the document only when it is another. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a property or an attribute only when it is another; `undefined` and `false` take an attribute away, `true` sets it empty. */
export function mark(element, name, value) {
  const wanted = value === undefined || value === null || value === false ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === wanted) return;
  if (wanted === null) element.removeAttribute(name);
  else element.setAttribute(name, wanted);
}

/** A new element with text. */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
