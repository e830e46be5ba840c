/**
 * The list of calls: those that need attention first, then the other live ones, below them those that have ended, by their days. Live calls come from the page's state, the others
 * from the hub's pages.
 */

import { arranged } from "./arrangement.js";
import { why } from "./attention.js";
import { Columns } from "./columns.js";
import { isEmpty } from "./filter.js";
import { FilterForm } from "./filter_form.js";
import { dayHeading } from "./format.js";
import { say } from "./language.js";
import { fillRow, madeRow } from "./row.js";
import { Rows } from "./rows.js";
import { latestWith, matches } from "./search.js";
import { clone, element, write } from "./template.js";

/** How often a filter is applied to new words. */
const FILTER_MS = 500;

/** How often the list looks for calls that the hub keeps no longer for this reader. */
const EXPIRY_MS = 2000;

/** How far below the last row the reader may be away when the next page is asked for: it is there before they are. */
const AHEAD = "0px 0px 1200px 0px";

/** The blocks of the list's rows. */
const [LIVE, PAST] = [0, 1];

export class CallList {
  #orderOf = { turns: -1, version: -1, px: null, sort: null, atMs: 0 };
  #pastOf = { version: -1, px: null, today: "" };
  #emptyOf = "";
  #watched = true;
  /** Whether the reader pressed Enter in the form, and waits for the calls. */
  #entering = false;

  /**
   * `open(sid, beside, at)` shows a call, at a moment of it unless `at` is NaN; `changed(now)` requests a drawing; `filtered(filter)` is
   * called when the reader changed the filter; `archive` has the pages; `commands()` returns what plays a call into the hub, and what
   * follows all calls, in a terminal.
   */
  constructor({ open, changed, filtered, archive, commands }) {
    this.open = open;
    this.archive = archive;
    /** The live calls as they are placed: see arrangement.js. */
    this.arranged = { attention: [], live: [] };
    this.commands = commands;
    this.empty = document.getElementById("rows-empty");
    this.matches = document.getElementById("matches");
    this.end = document.getElementById("rows-end");
    this.retry = document.getElementById("rows-retry");
    const scroller = document.getElementById("rows-scroll");
    const root = document.getElementById("rows");
    const made = (item) => (item.kind === "heading" ? clone("heading-row") : madeRow(item.key));
    this.rows = new Rows({ scroller, rows: root, made, changed });
    this.form = new FilterForm({
      filtered: (filter, how) => {
        scroller.scrollTop = 0;
        filtered(filter, how);
      },
      entered: () => {
        this.#entering = true;
        changed(true);
      },
    });
    this.columns = new Columns({ sorted: () => changed(true), dense: () => this.rows.measure() });
    /** How long the list shows calls that have ended, in milliseconds before `nowMs`: as long as the hub keeps them for this reader. */
    this.keepMs = Number.POSITIVE_INFINITY;
    /** To how many minutes the reader's token narrows what an archive has; null if it does not. */
    this.narrowedToMinutes = null;
    root.addEventListener("click", (event) => this.#clicked(event));
    this.retry.addEventListener("click", () => this.archive.again());
    this.observer = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && this.#more(), { root: scroller, rootMargin: AHEAD });
    this.observer.observe(this.end);
  }

  /** The call from which j and k move; null before the first move. */
  get current() {
    return this.rows.current;
  }

  set current(sid) {
    this.rows.current = sid;
  }

  /** The callSids of the rows in view. */
  visible() {
    return this.rows.visible();
  }

  /** Draw the rows in view. `panes` are the callSids of open calls, `nowMs` is the hub's clock. */
  draw(state, panes, nowMs) {
    if (!this.rows.px) this.rows.measure();
    this.#order(state, nowMs);
    this.#drawEmpty(state);
    this.#drawEnd();
    write(this.matches, this.#matched());
    const query = this.archive.filter.q;
    const fill = (row, item) => {
      const call = state.calls.get(item.key) ?? item.call;
      fillRow(row, call, { open: panes.includes(item.key), nowMs, query, hit: query ? this.#hit(call) : null });
    };
    this.rows.draw(fill, this.archive.complete);
    if (this.#entering && !this.archive.pending) this.#enter();
  }

  /** Go from the form to the first call, now that the hub has answered, unless the reader went elsewhere meanwhile. */
  #enter() {
    this.#entering = false;
    if (!this.form.form.contains(document.activeElement)) return;
    this.current = null;
    this.move(0);
  }

  /** Sort the calls if one came or went, or if the filter changed; and now and then for what comes and goes with time. */
  #order(state, nowMs) {
    const now = performance.now();
    const { archive, rows } = this;
    const before = this.#orderOf;
    const same = state.turns === before.turns && archive.version === before.version && rows.px === before.px && this.columns.sort === before.sort;
    const again = archive.filter.q ? FILTER_MS : archive.filter.longer || Number.isFinite(this.keepMs) ? EXPIRY_MS : Number.POSITIVE_INFINITY;
    const anew = !same || now - before.atMs >= again;
    if (anew) {
      const live = [];
      for (const call of state.calls.values()) {
        if (!call.live && call.startedAtMs === null && call.head.epoch === null) continue; // only a link asked for it
        if (!matches(call, archive.filter, archive.hits)) continue;
        if (call.live) live.push(call);
        else archive.include(call);
      }
      archive.exclude(({ sid, endedAtMs }) => {
        const known = state.calls.get(sid);
        return known?.live || known?.erased || nowMs - (endedAtMs ?? nowMs) > this.keepMs;
      });
      this.arranged = arranged(live, this.columns.sort, nowMs);
      rows.place(LIVE, [...group("attention", this.arranged.attention), ...group("live", this.arranged.live)]);
    }
    const today = new Date(nowMs).toDateString();
    const past = this.#pastOf;
    if (past.version !== archive.version || past.px !== rows.px || past.today !== today) {
      rows.place(PAST, byDay(archive.past, nowMs));
      this.#pastOf = { version: archive.version, px: rows.px, today };
      this.#watched = false;
    }
    if (anew) {
      this.#orderOf = { turns: state.turns, version: archive.version, px: rows.px, sort: this.columns.sort, atMs: now };
    }
  }

  /** How many calls fit the filter, and whether that is all of them. */
  #matched() {
    const { archive } = this;
    if (isEmpty(archive.filter)) return "";
    if (archive.pending) return say("list.searching");
    const found = say("list.found", { n: this.rows.count });
    if (archive.problem) return say("list.found-here", { found, problem: archive.problem });
    return archive.complete ? found : say("list.found-so-far", { found });
  }

  /** The words by which a call fits the filter; null if it fits by something else. */
  #hit(call) {
    return this.archive.hits.get(call.sid) ?? latestWith(call, this.archive.filter.q);
  }

  /** Open the call from which j and k move. Returns whether there is one. */
  openCurrent(beside) {
    if (this.current === null) return false;
    this.open(this.current, beside, this.#moment(this.current));
    return true;
  }

  #moment(sid) {
    return Number(/\/t=(.+)$/.exec(this.rows.element(sid)?.querySelector(".open").hash ?? "")?.[1] ?? Number.NaN);
  }

  /** Move the focus by this many calls. */
  move(by) {
    if (this.rows.move(by)) this.focus();
  }

  /** Focus the current row, or the search if there is none. */
  focus() {
    const row = this.rows.element(this.current);
    (row?.querySelector(".open") ?? this.form.field).focus({ preventScroll: true });
  }

  #clicked(event) {
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.metaKey) return; // the browser opens a new tab
    event.preventDefault();
    this.current = row.dataset.sid;
    this.openCurrent(event.shiftKey || event.target.closest(".beside") !== null);
  }

  #more() {
    if (!this.archive.problem) this.archive.more();
  }

  /** Say below the rows what the list does not show, and look out for the reader who comes near. */
  #drawEnd() {
    const { archive } = this;
    const failed = archive.problem !== "" && !archive.pending;
    write(this.end.firstElementChild, failed ? say("list.no-past", archive) : this.#remark());
    this.retry.hidden = !failed;
    if (this.#watched) return;
    this.#watched = true;
    this.observer.unobserve(this.end); // an observer tells of changes only: rows that did not fill the list leave the end in view
    this.observer.observe(this.end);
  }

  #remark() {
    if (this.archive.loading) return say("list.fetching");
    const all = !this.archive.complete || this.narrowedToMinutes === null || this.rows.count === 0;
    return all ? "" : say("list.narrowed", { minutes: this.narrowedToMinutes });
  }

  #drawEmpty(state) {
    const { archive } = this;
    const waits = archive.pending || (isEmpty(archive.filter) && !state.listed && state.refusal === null);
    const none = this.rows.count === 0 && !waits && (isEmpty(archive.filter) || !archive.problem || archive.filter.q !== "");
    this.empty.hidden = !none;
    if (!none) return;
    const [title, ...rest] = this.#emptiness(state);
    const made = JSON.stringify([title, rest]);
    if (this.#emptyOf === made) return;
    this.#emptyOf = made;
    const paragraphs = rest.map(([sentence, command]) => [element("p", "", sentence), ...(command ? [element("code", "", command)] : [])]);
    this.empty.replaceChildren(element("h2", "", title), ...paragraphs.flat());
  }

  /** What an empty list says: a title, and sentences with commands. */

  #emptiness(state) {
    const { filter } = this.archive;
    if (!isEmpty(filter)) {
      if (!isEmpty({ ...filter, q: "" })) return [say("list.none-fits"), [say("list.none-fits-parts")]];
      return [say("list.none-fits"), [say("list.none-has-words", { words: filter.q })]];
    }
    if (state.refusal) return [say("list.refused"), [say("list.refused-why", state.refusal)]];
    const [play, follow] = this.commands();
    return [say("list.none"), [say("list.none-more"), play], [say("list.none-follow"), follow]];
  }
}

/** Items of the list's rows: see rows.js. */
function heading(key, text) {
  return { key: `heading:${key}`, kind: "heading", text };
}

function item(call) {
  return { key: call.sid, kind: why(call) ? "amiss" : "row", call };
}

/** The rows of live calls below their heading. */
function group(key, calls) {
  return calls.length ? [heading(key, say(`list.${key}`, { n: calls.length })), ...calls.map(item)] : [];
}

/** The rows of calls that have ended, the newest first, below the headings of their days. */
function byDay(past, nowMs) {
  const items = [];
  let last = null;
  for (const call of past) {
    const startedAtMs = call.startedAtMs ?? nowMs;
    const day = new Date(startedAtMs).toDateString();
    if (day !== last) items.push(heading(day, dayHeading(startedAtMs, nowMs)));
    last = day;
    items.push(item(call));
  }
  return items;
}
