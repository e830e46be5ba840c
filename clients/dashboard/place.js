/**
 * The page's address: which calls are open, at which moment, and the token that came with the link. Pure.
 *
 *     /#CA…            one call                      /#CA…/t=93         at 93 seconds of call time; also /#CA…&t=93
 *     /#CA…,CA…        calls side by side            /?call=CA…&token=… one call without the list, to embed
 *     /?q=refund&from=2026-11-01                     the calls of the list that fit this filter
 */

import { filterOf } from "./filter.js";

/** A callSid, as the hub's protocol allows it. */
const SID = /^[A-Za-z0-9_-]{1,64}$/;

/** How many calls can be open side by side: a grid on a wide screen. See grid.js. */
export const MAX_PANES = 9;

/** Read an address from `location.search` and `location.hash`. Parts that are not valid are left out. */
export function parse(search, hash) {
  const query = new URLSearchParams(search);
  const sid = query.get("call");
  return {
    /** The only call to show, without the list; null on the whole dashboard. */
    embedded: sid !== null && SID.test(sid) ? sid : null,
    /** Which calls the list shows: see filter.js. */
    filter: filterOf(search),
    /** The token in the link; null if there is none. It must be removed from the address at once. */
    token: query.get("token") || null,
    panes: panes(hash),
  };
}

function panes(hash) {
  const seen = new Set();
  const found = [];
  for (const part of decoded(hash.replace(/^#/, "")).split(",")) {
    const [sid, moment = ""] = part.split(/[/&]/, 2);
    if (!SID.test(sid) || seen.has(sid)) continue;
    seen.add(sid);
    const at = /^t=(\d+(?:\.\d+)?)$/.exec(moment);
    found.push({ sid, at: at ? Number(at[1]) : null });
  }
  return found.slice(0, MAX_PANES);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray "%" in a hand-written link
  }
}

/** The hash for these panes; empty if there are none. */
export function hash(panes) {
  return panes.length
    ? `#${panes.map(({ sid, at }) => (at === null || at === undefined ? sid : `${sid}/t=${seconds(at)}`)).join(",")}`
    : "";
}

/** The link to a moment of one call, for other people. */
export function momentLink(base, sid, at) {
  return base + hash([{ sid, at }]);
}

/** The address of a call's file: of its `recording`, or of its transcript in one of its kinds. */
export function fileOf(base, sid, kind) {
  return `${base}calls/${encodeURIComponent(sid)}/${kind === "recording" ? kind : `transcript.${kind}`}`;
}

/** The search part without the token. A token must not stay in the address bar, the history or a copied link. */
export function withoutToken(search) {
  const query = new URLSearchParams(search);
  query.delete("token");
  const rest = query.toString();
  return rest ? `?${rest}` : "";
}

function seconds(at) {
  return String(Math.round(at * 10) / 10);
}
