import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { choose, LANGUAGES, say } from "../../../clients/dashboard/language.js";
import { TEXTS } from "../../../clients/dashboard/texts.js";

const FOLDER = new URL("../../../clients/dashboard/", import.meta.url);
const SOURCES = readdirSync(FOLDER).filter((name) => /\.(js|html)$/.test(name) && name !== "texts.js");
const SOURCE = SOURCES.map((name) => readFileSync(new URL(name, FOLDER), "utf8")).join("\n");

const names = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort().join();

test("every text is there in every language, with the same values and the same forms", () => {
  for (const [key, texts] of Object.entries(TEXTS)) {
    assert.equal(texts.length, LANGUAGES.size, key);
    assert.ok(texts.every((text) => text.trim()), key);
    assert.equal(new Set(texts.map(names)).size, 1, `${key}: ${texts.map(names)}`);
    assert.equal(new Set(texts.map((text) => text.split("|").length)).size, 1, key);
  }
});

test("every text that the page asks for is there, and none is there that it does not ask for", () => {
  const asked = [...SOURCE.matchAll(/(?:say\(|data-text(?:-\w+)?=|name\(\w+, |\? |: )"([a-z-]+\.[a-z-]+)"/g)].map(([, key]) => key);
  for (const key of asked) assert.ok(key in TEXTS, key);
  const families = [...SOURCE.matchAll(/`([a-z-]+\.(?:[a-z-]+-)?)\$\{/g)].map(([, family]) => family);
  const used = (key) => SOURCE.includes(`"${key}"`) || families.some((family) => key.startsWith(family));
  assert.deepEqual(Object.keys(TEXTS).filter((key) => !used(key)), []);
});

test("the page itself has no words of its own", () => {
  const page = readFileSync(new URL("index.html", FOLDER), "utf8").replace(/<(script|noscript|title|!--)[\s\S]*?<?\/?(\1|--)>/g, "");
  const words = [...page.matchAll(/>([^<>]*[A-Za-z]{2}[^<>]*)</g)].map(([, text]) => text.trim());
  assert.deepEqual(words.filter((text) => text && text !== "Transcript Hub" && !text.startsWith(".")), []);
  assert.deepEqual([...page.matchAll(/\s(?:title|aria-label|placeholder)="([A-Za-z][^"]*)"/g)].map(([, text]) => text), []);
});

test("the reader's first language that there is is used, in any spelling, and English otherwise", () => {
  try {
    assert.equal(choose(["pt-BR", "DE-at", "en"]), "de");
    assert.equal(say("bar.live", { n: 3 }), "3 laufend");
    assert.equal(choose(["fr"]), "fr");
    assert.equal(say("list.found", { n: 0 }), "0 appel trouvé", "French counts nothing like one");
    assert.equal(choose(["es-MX"]), "es");
    assert.equal(say("list.found", { n: 2 }), "2 llamadas encontradas");
    assert.equal(choose(["pt-BR"]), "en");
    assert.equal(say("list.found", { n: 1 }), "1 call found");
  } finally {
    choose([]);
  }
});

test("a value cannot act on the text around it, nor be taken for a name", () => {
  assert.equal(say("why.watchword", { about: "a\u202eb\n{about}" }), "watchword: ab {about}");
  assert.throws(() => say("no.text"), /no\.text/);
});
