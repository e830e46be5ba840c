/**
 * A call's summary, as the hub's lists have it, put into a call of call.js. Pure.
 */

import { listedAttention } from "./attention.js";
import { unheard } from "./call.js";
import { milliseconds } from "./call_lines.js";

/** The call with what the list of all calls says of it now: this also decides what the call's next subscription asks for. */
export function listedCall(call, summary) {
  const same = call.head.epoch === summary.epoch;
  return {
    ...call,
    known: true,
    live: summary.live,
    startedAtMs: milliseconds(summary.startedAt) ?? call.startedAtMs,
    endedAtMs: milliseconds(summary.endedAt),
    from: summary.from ?? call.from,
    to: summary.to ?? call.to,
    direction: summary.direction ?? call.direction,
    speakers: summary.speakers ?? call.speakers,
    agent: summary.agent ?? call.agent,
    person: summary.person ?? call.person,
    queue: summary.queue ?? call.queue,
    provider: call.provider ?? summary.transcriber?.provider ?? null,
    model: call.model ?? summary.transcriber?.model ?? null,
    reason: summary.reason,
    duration: summary.duration,
    completeness: summary.completeness,
    attention: listedAttention(summary.attention, summary.offset, summary.alerts),
    utterances: summary.utterances,
    statistics: summary.statistics ?? null,
    recording: summary.recording ?? null,
    recordingOffset: summary.offset,
    // In the same log, finals come for what is open. In another log they never will: its answer to our subscription decides.
    open: summary.live || summary.epoch !== call.epoch ? call.open : {},
    head: { epoch: summary.epoch, offset: summary.offset },
    lifeOffset: summary.offset,
    providerOffset: same ? call.providerOffset : 0,
    trouble: same ? call.trouble : null,
  };
}

/** A call of which only its summary is known: one that only the list shows. */
export function pastCall(summary) {
  return listedCall(unheard(summary.callSid), summary);
}
