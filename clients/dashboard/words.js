/**
 * Text as words that are compared, in nearly the spelling of the hub's `text/words.py`: `Café` and `cafe` are one word, and a query's word
 * may be the beginning of one. The page compares only what the hub was not asked about, such as words that were said since. Pure.
 */

/** Marks that people leave out when they type. */
const MARKS = /\p{Mn}/gu;

const APOSTROPHES = /['\u2018\u2019\u201b\u02bb\u02bc\u05f3`]/g;

/** Characters of scripts without blanks, and emoji, are words of their own. */
const ALONE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{So}]/u;

const PHRASES = /(?<!\S)"([^"]*)"(?!\S)|(\S+)/g;

/** The text as words with a blank before each. */
export function comparable(text) {
  const words = spelled(text).trim();
  return words && ` ${words.replace(/ +/g, " ")}`;
}

function spelled(text) {
  let made = "";
  for (const character of text.toLowerCase().normalize("NFD").replace(MARKS, "").replace(APOSTROPHES, "")) {
    if (ALONE.test(character)) made += ` ${character} `;
    else made += /[\p{L}\p{N}]/u.test(character) ? character : " ";
  }
  return made;
}

/** What each term of a query looks like in a `comparable` text that has it: a word, or several in quotes. */
export function terms(query) {
  const found = [...query.replace(/[\u201c\u201d\u201e\u00ab\u00bb]/g, '"').matchAll(PHRASES)];
  return found.map(([, phrase, word]) => comparable(phrase ?? word)).filter(Boolean);
}

/** Where the terms of a query stand in a text: `[start, length]` of each place, in order and without overlaps. */
export function places(text, query) {
  const wanted = terms(query);
  if (!wanted.length) return [];
  let words = " ";
  const origins = [0];
  let at = 0;
  for (const character of text) {
    for (const each of spelled(character)) {
      if (each === " " && words.endsWith(" ")) continue;
      words += each;
      for (let unit = 0; unit < each.length; unit += 1) origins.push(at);
    }
    at += character.length;
  }
  const found = [];
  for (const term of wanted) {
    for (let place = words.indexOf(term); place >= 0; place = words.indexOf(term, place + term.length)) {
      const [first, last] = [origins[place + 1], origins[place + term.length - 1]];
      found.push([first, last + [...text.slice(last)][0].length - first]);
    }
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  return found.filter(([start], index) => index === 0 || start >= Math.max(...found.slice(0, index).map(([from, length]) => from + length)));
}
