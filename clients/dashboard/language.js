/**
 * The language of the interface: finds the reader's, and says a text of texts.js in it. Texts of calls are in whatever language people
 * speak, and are never translated. Pure but for the one choice.
 */

import { isolated } from "./foreign.js";
import { TEXTS } from "./texts.js";

/** The languages, in the order in which texts.js has them, with their own names. */
export const LANGUAGES = new Map([
  ["en", "English"],
  ["de", "Deutsch"],
  ["es", "Español"],
  ["fr", "Français"],
]);

const CODES = [...LANGUAGES.keys()];

let language = "en";
let locale;
let plurals = new Intl.PluralRules("en");

/** Choose the first language that there is, of tags such as `de-CH`; English if there is none of them. Returns its code. */
export function choose(tags) {
  const found = tags.find((tag) => CODES.includes(code(tag)));
  language = found ? code(found) : "en";
  locale = found ?? (tags.length ? "en" : undefined);
  plurals = new Intl.PluralRules(language);
  return language;
}

/** How dates are written: in the reader's own country where it speaks the language of the interface. `undefined`: as the browser does. */
export function dateLocale() {
  return locale;
}

/** The language that is used, by its code. */
export function chosen() {
  return language;
}

function code(tag) {
  return tag.toLowerCase().split("-")[0];
}

/**
 * Say a text. `{name}` in it is the value of that name, isolated: see foreign.js. A text with `|` has a form for one and one for many, and
 * `n` decides.
 */
export function say(key, values = {}) {
  const text = TEXTS[key]?.[CODES.indexOf(language)];
  if (text === undefined) throw new Error(`texts.js has no ${key}`);
  const [one, many = one] = text.split("|");
  const form = one === many || plurals.select(values.n) === "one" ? one : many;
  return form.replace(/\{(\w+)\}/g, (_, name) => isolated(values[name] ?? ""));
}

/** Write the texts that elements name: `data-text` is the key of their words, and `data-text-title` and its like of an attribute. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const [data, attribute] of ATTRIBUTES) {
    for (const element of root.querySelectorAll(`[data-text-${data}]`)) {
      element.setAttribute(attribute, say(element.getAttribute(`data-text-${data}`)));
    }
  }
  for (const template of root.querySelectorAll("template")) translate(template.content);
}

const ATTRIBUTES = [
  ["title", "title"],
  ["label", "aria-label"],
  ["placeholder", "placeholder"],
];
