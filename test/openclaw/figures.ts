/** What a loss of the gateway came to, worked out from the journal alone. Milliseconds. */
import type { EventOf, JournalEvent } from "../../src/domain/JournalEvent.ts"
import { parseRunId } from "../../src/domain/Run.ts"

export interface Figures {
  /** From the loss to the record of a degraded mode, and that record's reason. */
  readonly degradedMs: number
  readonly reason: string
  /** From the return to `connected`, and to the acknowledgement of the last report that waited for it. */
  readonly connectedMs: number
  readonly deliveredMs: number
  /** Reports that waited at the return, and those that were on their way at the loss. */
  readonly waiting: number
  readonly underWay: number
  /** How late the work of the slots between loss and return began, in order. */
  readonly late: ReadonlyArray<number>
}

/** Of a loss and the return of the gateway after it. Nothing that has not come to pass is a number: it is Infinity. */
export const figures = (events: ReadonlyArray<JournalEvent>, lostAtMs: number, backAtMs: number): Figures => {
  const modes = events.filter((event) => event.type === "mode.changed")
  const degraded = modes.find(({ atMs, to }) => atMs >= lostAtMs && to.startsWith("degraded"))
  const connected = modes.find(({ atMs, to }) => atMs >= backAtMs && to === "connected")
  const acknowledged = new Map(events.filter((event) => event.type === "entry.acknowledged").map(({ run, atMs }) => [run, atMs]))
  const ends = (events: ReadonlyArray<{ readonly run: string }>) => events.map(({ run }) => acknowledged.get(run) ?? Infinity)
  const settled = events.filter((event): event is EventOf<"run.settled"> => event.type === "run.settled" && event.report !== null)
  const waited = ends(settled.filter(({ atMs }) => atMs <= backAtMs)).filter((atMs) => atMs > backAtMs)
  const sent = events.filter((event) => event.type === "entry.sent" && event.atMs <= lostAtMs) as ReadonlyArray<EventOf<"entry.sent">>
  return {
    degradedMs: (degraded?.atMs ?? Infinity) - lostAtMs,
    reason: degraded?.reason ?? "",
    connectedMs: (connected?.atMs ?? Infinity) - backAtMs,
    deliveredMs: Math.max(backAtMs, ...waited) - backAtMs,
    waiting: waited.length,
    underWay: ends(sent).filter((atMs) => atMs > lostAtMs).length,
    late: settled
      .map(({ run, startedAtMs }) => ({ slotAtMs: parseRunId(run)!.slotAtMs, startedAtMs: startedAtMs ?? Infinity }))
      .filter(({ slotAtMs }) => slotAtMs > lostAtMs && slotAtMs <= backAtMs)
      .map(({ slotAtMs, startedAtMs }) => startedAtMs - slotAtMs)
      .toSorted((a, b) => a - b)
  }
}

export const median = (ordered: ReadonlyArray<number>): number => ordered[Math.floor(ordered.length / 2)] ?? Infinity
