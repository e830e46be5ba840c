/**
 * Puts the page together. Messages go into the store, the store's state into the views, and the reader's choices into the address. What the
 * page shows decides what it requests from the hub.
 */

import { Alarm } from "./alarm.js";
import { urgency } from "./attention.js";
import { Archive } from "./archive.js";
import { opened } from "./call.js";
import { boardCommand, playCommand, terminalCommands } from "./commands.js";
import { Connection } from "./connection.js";
import { copyLater, copyText, download, fetched, reasonAgainst } from "./files.js";
import { filterOf, searchWith } from "./filter.js";
import { capacity, columns, LEAST_CALLS } from "./grid.js";
import { listenForKeys } from "./keys.js";
import { choose, LANGUAGES, say, translate } from "./language.js";
import { CallList } from "./list.js";
import { Listening } from "./listen.js";
import { Orders } from "./orders.js";
import { Pane } from "./pane.js";
import { fileOf, hash, MAX_PANES, parse, withoutToken } from "./place.js";
import { habit, keepHabit } from "./reading_habits.js";
import { Renewal } from "./renewal.js";
import { connection as connectionSentence, copied, outage } from "./sentences.js";
import { Store } from "./store.js";
import { due, wanted } from "./subscriptions.js";
import { closesWhenLeft, mark, write } from "./template.js";
import { toast } from "./toast.js";
import { hasRight, tokenOf } from "./token.js";

/** How often an embedded page asks again for a call that the hub does not know yet. It has no list that would show the call's start. */
const RETRY_MS = 2000;

/** How often the page asks again for a call that the hub cannot get from its archive at the moment. */
const ARCHIVE_MS = 5000;

/** From this width on a second call opens beside the first. In a narrower window it replaces the first. */
const BESIDE = matchMedia("(min-width: 64rem)");

/** From this width on there is room for a grid of calls. */
const GRID = matchMedia("(min-width: 90rem)");

/** The width of the list beside open calls, in CSS pixels: see `--list` in style.css. */
const LIST_PX = 368;

document.documentElement.lang = choose([new URLSearchParams(location.search).get("lang") ?? habit("language"), ...navigator.languages].filter(Boolean));
translate(document);

const address = parse(location.search, location.hash);
const base = location.origin + location.pathname;
if (address.token) history.replaceState(null, "", location.pathname + withoutToken(location.search) + location.hash);
document.body.classList.toggle("embedded", address.embedded !== null);

let settings = { listen: false, keepMinutes: 60, archive: false, origins: [], proof: "none" };
const told = fetch(new URL("settings.json", import.meta.url))
  .then((answer) => answer.json())
  .then(
    (known) => (settings = { ...settings, ...known }),
    () => settings,
  );
told.then(() => store.soon());
let ready = false;
let asked = new Map();
/** Open calls, left to right, by callSid. */
const panes = new Map();
let active = null;

const store = new Store({
  settled: (state) => {
    follow(state);
    drawCounters(state); // also of a page that nobody looks at: its tab has a title, and its reader wants to be told
  },
  draw,
});
const connection = new Connection({
  url: new URL("client", base.replace(/^http/, "ws")).href,
  token: tokenOf(address.token),
  said: (message) => {
    const unlisted = message.type === "error" && !message.callSid && message.code !== "token"; // the list is refused, not the reader
    if (!ready && (message.type === "calls" || unlisted)) {
      ready = true;
      archive.admitted = true;
    }
    if (message.type === "error") refused(message);
    listening.said(message);
    orders.said(message);
    store.take(message);
  },
  sounded: (buffer) => listening.sounded(buffer),
  changed: connectionChanged,
});
const renewal = new Renewal({ connection, origins: told.then(({ origins }) => origins), sid: address.embedded });
const listening = new Listening({
  worklet: new URL("player-worklet.js", import.meta.url).href,
  send: (message) => connection.send(message),
  changed: () => store.soon(),
  say: toast,
});
const orders = new Orders({ send: (message) => connection.send(message), say: toast });
const archive = new Archive({ url: `${base}calls`, token: () => connection.token, changed: () => draw(store.state) });
const list = new CallList({
  open,
  archive,
  changed: (now) => (now ? draw(store.state) : store.soon()),
  filtered,
  commands: () => [playCommand(base, settings.proof), boardCommand(base, connection.token !== null)],
});

const alarm = new Alarm({ open, complain: toast, announce: (sentence) => write(document.getElementById("announced"), sentence) });

function connectionChanged(event) {
  store.take(event);
  if (event.type === "socket-opened") {
    asked = new Map();
    ready = address.embedded !== null;
    if (!ready) connection.send({ action: "subscribe", calls: "all" });
    listening.again();
    orders.again();
  } else if (event.type === "admitted") {
    renewal.admitted();
    // A new token may allow other calls.
    if (ready && !address.embedded) for (const action of ["unsubscribe", "subscribe"]) connection.send({ action, calls: "all" });
    for (const pane of panes.values()) pane.bar.renew();
  } else if (event.type === "token-refused") renewal.refused();
  else if (event.phase === "token") {
    archive.admitted = false;
    renewal.wanted();
  }
}

/** The hub refuses to send a call. A call that it does not know, or that is erased, is not asked for again until the hub tells of it. */
function refused({ code, callSid }) {
  if (code === "erased") archive.exclude(({ sid }) => sid === callSid);
  if (code === "unknown-call" || code === "erased") asked.delete(callSid);
  else if (code === "archive") setTimeout(() => asked.delete(callSid) && store.soon(), ARCHIVE_MS);
}

/** Request from the hub exactly what the page shows. */
function follow(state) {
  if (state.link.phase !== "open" || !ready) return;
  const open = [...panes.keys()];
  for (const sid of open) if (opened(state.calls.get(sid))) store.take({ type: "watching", callSid: sid, depth: "full" });
  for (const message of due(state, wanted(state, open, address.embedded ? [] : list.visible()), asked)) connection.send(message);
}

const hubNow = () => Date.now() - connection.skewMs;

function draw(state) {
  const online = state.link.phase === "open" || state.link.sinceMs === null;
  const nowMs = online ? hubNow() : state.link.sinceMs - connection.skewMs; // durations stand still while there is no connection
  write(document.getElementById("link"), connectionSentence(state.link));
  mark(document.getElementById("link"), "data-phase", state.link.phase);
  const banner = document.getElementById("banner");
  banner.hidden = state.link.phase !== "offline" && state.link.phase !== "refused";
  if (!banner.hidden) {
    write(
      banner,
      state.link.phase === "offline"
        ? outage(state.link, Date.now())
        : say("link.closed", state.link),
    );
  }
  if (!address.embedded) {
    const reads = hasRight(connection.token, "archive");
    list.keepMs = settings.archive && reads ? Number.POSITIVE_INFINITY : settings.keepMinutes * 60_000;
    list.narrowedToMinutes = settings.archive && !reads ? settings.keepMinutes : null;
    list.draw(state, [...panes.keys()], nowMs);
  }
  const audio = hasRight(connection.token, "audio");
  const steer = connection.token !== null && hasRight(connection.token, "steer"); // without a token, nobody would know who it was
  let more = false;
  for (const [sid, pane] of panes) {
    const call = state.calls.get(sid);
    if (!call) continue;
    more = pane.draw(call, nowMs, { online, listening: settings.listen ? (listening.sid ?? "") : null, audio, steer }) || more;
  }
  drawCounters(state);
  document.getElementById("panes-empty").hidden = panes.size > 0;
  const commands = terminalCommands(base, connection.token !== null, active);
  for (const [at, command] of commands.entries()) write(document.getElementById("help-commands").children[at], command);
  follow(state);
  if (more) store.soon();
}

/** Say how many calls are live and how many of them need attention: in the bar, and in the tab's title. */
function drawCounters(state) {
  const live = [...state.calls.values()].filter((call) => call.live);
  const urgent = live.filter((call) => urgency(call) > 0);
  const count = document.getElementById("count-attention");
  write(count, urgent.length ? say("bar.attention", { n: urgent.length }) : say("bar.calm"));
  mark(count, "data-urgent", urgent.length > 0);
  mark(count, "aria-pressed", String(archive.filter.state === "attention"));
  write(document.getElementById("count-live"), say("bar.live", { n: live.length }));
  const name = `${urgent.length ? `(${urgent.length}) ` : ""}${live.length ? `${say("bar.live", { n: live.length })} · ` : ""}Transcript Hub`;
  if (document.title !== name) document.title = name;
  if (state.listed) alarm.take(urgent);
}

/** How many calls the window has room for, side by side. */
function room() {
  return GRID.matches ? capacity(innerWidth - LIST_PX, innerHeight - document.querySelector(".bar").offsetHeight) : 0;
}

/** Open the first calls of the list side by side, as many as there is room for; or close them all. */
function grid() {
  if (panes.size >= LEAST_CALLS) return go([]);
  const { attention, live } = list.arranged;
  const sids = [...attention, ...live].slice(0, Math.max(room(), BESIDE.matches ? 2 : 1)).map(({ sid }) => sid);
  if (sids.length) go(sids.map((sid) => ({ sid, at: null })));
  return true;
}

/** Open a call in place of the active one, or beside it, at a moment of it if `at` is a number. */
function open(sid, beside = false, at = Number.NaN) {
  const order = [...panes.keys()];
  if (panes.has(sid)) active = sid;
  else if (beside && BESIDE.matches && order.length < Math.max(2, Math.min(MAX_PANES, room()))) order.push(sid);
  else if (order.length)
    order[beside && BESIDE.matches ? order.findLastIndex((each) => each !== active) : Math.max(0, order.indexOf(active))] = sid;
  else order.push(sid);
  go(order.map((each) => ({ sid: each, at: each === sid && Number.isFinite(at) ? at : null })));
  active = sid;
  panes.get(sid).focus();
}

function close(sid) {
  go([...panes.keys()].filter((each) => each !== sid).map((each) => ({ sid: each, at: null })));
  if (panes.size) panes.get(active).focus();
  else list.focus();
}

function go(wantedPanes) {
  const to = hash(wantedPanes);
  if (to !== location.hash) history.pushState(null, "", to || location.pathname + location.search);
  show(wantedPanes);
}

/** Show the panes that the address names, and no others. */
function show(wantedPanes) {
  const wantedSids = new Set(wantedPanes.map(({ sid }) => sid));
  for (const [sid, pane] of panes) {
    if (wantedSids.has(sid)) continue;
    if (listening.sid === sid) listening.stop();
    list.current = sid;
    pane.close();
    panes.delete(sid);
    store.take({ type: "watching", callSid: sid, depth: "tail" });
  }
  const root = document.getElementById("panes");
  const before = new Map(panes);
  panes.clear();
  for (const { sid, at } of wantedPanes) {
    const pane = before.get(sid) ?? new Pane(sid, base, paneDoes);
    panes.set(sid, pane);
    root.append(pane.root);
    if (!before.has(sid)) store.take({ type: "watching", callSid: sid, depth: "opening", known: archive.past.find((call) => call.sid === sid) });
    if (at !== null) pane.goTo(at);
  }
  if (!panes.has(active)) active = panes.keys().next().value ?? null;
  layOut();
  store.settle();
  draw(store.state);
}

/** Tell the styles how many calls are open: one, two, or a grid. Not with each drawing: to ask for the window's width makes it lay out all. */
function layOut() {
  mark(document.body, "data-panes", panes.size);
  mark(document.body, "data-grid", panes.size > 2);
  mark(document.getElementById("grid-open"), "aria-pressed", String(panes.size > 2));
  document.getElementById("panes").style.setProperty("--columns", columns(panes.size, innerWidth - LIST_PX));
}

/** The reader changed the filter. */
function filtered(filter, how) {
  const to = location.pathname + searchWith(location.search, filter) + location.hash;
  if (how === "step") history.pushState(null, "", to);
  else history.replaceState(null, "", to);
  archive.ask(filter);
  draw(store.state);
}

/** Show what the address names: after the back button, or a link within the page. */
function arrived() {
  if (address.embedded) return;
  const filter = filterOf(location.search);
  list.form.show(filter);
  archive.ask(filter);
  show(parse("", location.hash).panes);
}

/** A call's transcript as text: the hub's own file. Lines that the hub has lost, and only this page still has, come before it. */
async function transcript(call) {
  const ours = call.lines.filter((line) => line.past || line.kind === "restarted" || !call.known).map((line) => `${copied(line)}\n`).join("");
  return call.known ? ours + (await (await fetched(fileOf(base, call.sid, "txt"), connection.token)).text()) : ours;
}

const paneDoes = {
  close,
  back: () => close(active),
  copy: (text, said) =>
    copyText(text).then(
      () => toast(said),
      (error) => toast(say("said.not-copied", { reason: error.message })),
    ),
  copyAll: (call) =>
    copyLater(transcript(call)).then(
      () => toast(say(call.known ? "said.copied" : "said.copied-here")),
      (error) => toast(say("said.not-copied", { reason: error.message })),
    ),
  download: (sid, kind, sound) =>
    download(fileOf(base, sid, kind), `${sid}.${kind === "recording" ? sound : kind}`, connection.token).catch((error) =>
      toast(say("said.not-downloaded", { reason: error.message })),
    ),
  // A browser's player sends no header of ours. This address is in no history and no document, and it is read by the hub only.
  recording: (sid) => fileOf(base, sid, "recording") + (connection.token ? `?token=${encodeURIComponent(connection.token)}` : ""),
  why: (sid) => reasonAgainst(fileOf(base, sid, "recording"), connection.token),
  record: (sid, action) =>
    fetched(`${fileOf(base, sid, "recording")}/${action}`, connection.token, "POST").catch((error) =>
      toast(say(`said.not-${action}d`, { reason: error.message })),
    ),
  listen: (sid) => listening.toggle(sid),
  sound: listening,
  steer: (message) => orders.give(message),
  draw: () => draw(store.state),
};

function activePane() {
  return panes.get(active);
}

document.getElementById("panes").addEventListener("focusin", (event) => {
  active = event.target.closest(".pane")?.dataset.sid ?? active;
});

listenForKeys({
  filter: () => {
    const filter = document.getElementById("filter");
    filter.focus(); // in some browsers, selecting does not focus
    filter.select();
  },
  down: () => list.move(1),
  up: () => list.move(-1),
  beside: () => list.openCurrent(true),
  list: () => list.focus(),
  transcript: () => {
    const order = [...panes.keys()];
    if (!order.length) return false;
    const inside = activePane().root.contains(document.activeElement);
    panes.get(order[(order.indexOf(active) + (inside ? 1 : 0)) % order.length]).focus();
    return true;
  },
  grid,
  attention: () => list.form.toggle("state", "attention"),
  details: () => activePane()?.toggleDetails() ?? false,
  find: () => activePane()?.openFind() ?? false,
  listen: () => activePane()?.listen() ?? false,
  mute: () => listening.mute() && (draw(store.state), true),
  play: () => activePane()?.play() ?? false,
  latest: () => activePane()?.transcript.toLatest() ?? false,
  escape: () => {
    const filter = document.getElementById("filter");
    if (list.form.escape()) return true;
    if (document.activeElement === filter) return list.form.clear() || list.focus();
    if (activePane()?.escape()) return true;
    return panes.size && !address.embedded ? close(active) : false;
  },
});

document.getElementById("count-attention").addEventListener("click", () => list.form.toggle("state", "attention"));
document.getElementById("grid-open").addEventListener("click", grid);
addEventListener("resize", layOut);
closesWhenLeft(document.getElementById("alarm"));
const languages = document.getElementById("help-language");
languages.append(...[...LANGUAGES].map(([code, name]) => new Option(name, code, false, code === document.documentElement.lang)));
languages.addEventListener("change", () => {
  keepHabit("language", languages.value);
  location.reload();
});

addEventListener("hashchange", arrived);
addEventListener("popstate", arrived);
addEventListener("resize", () => store.soon());
setInterval(() => store.soon(), 1000);
setInterval(() => store.take({ type: "tick", nowMs: hubNow(), keepMs: settings.keepMinutes * 60_000 }), 30_000);
setInterval(() => {
  for (const sid of panes.keys()) {
    if (!address.embedded || store.state.calls.get(sid)?.known) continue;
    connection.send({ action: "subscribe", callSid: sid, interims: true });
    asked.set(sid, "full");
  }
}, RETRY_MS);

show(
  address.embedded ? [{ sid: address.embedded, at: address.panes.find(({ sid }) => sid === address.embedded)?.at ?? null }] : address.panes,
);
if (!address.embedded) {
  list.form.show(address.filter);
  archive.ask(address.filter);
}
connection.open();
