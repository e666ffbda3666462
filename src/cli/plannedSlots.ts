/** Slots with what would become of them, as a table or one value each, and a count of each fate. */
import { iso } from "../domain/Run.ts"
import type { SlotFate } from "../domain/SlotFate.ts"
import type { Outage } from "../testing/outage/Outage.ts"
import type { Out } from "./output.ts"
import { clock, length } from "./times.ts"

export interface Planned extends Omit<SlotFate, "fate"> {
  readonly skill: string
  readonly fate: SlotFate["fate"] | "unforeseen"
}

/** One value a slot, then one with the counts. */
export const writeSlots = (planned: ReadonlyArray<Planned>, outages: ReadonlyArray<Outage>, limit: number, out: Out): void => {
  for (const { skill, slotMs, fate, run, lateMs, reason } of picked(planned, limit))
    out.value({ skill, slot: iso(slotMs), fate, run: run ?? null, lateMs: lateMs ?? null, reason: reason ?? null })
  out.value({
    slots: planned.length,
    ...Object.fromEntries(countsOf(planned)),
    outages: outages.map(({ what, fromMs, toMs }) => ({ what, from: iso(fromMs), to: iso(toMs) }))
  })
}

/** A table, and a line with the counts. */
export const showSlots = (
  planned: ReadonlyArray<Planned>,
  outages: ReadonlyArray<Outage>,
  limit: number,
  out: Out,
  nowMs: number
): void => {
  const { paint } = out
  for (const { what, fromMs, toMs } of outages)
    out.line(paint.bold(`without ${what} from ${clock(fromMs, nowMs)} to ${clock(toMs, nowMs)}`))
  out.table([
    ["SLOT", "SKILL", "FATE", ""].map(paint.dim),
    ...picked(planned, limit).map((slot) => [
      clock(slot.slotMs, nowMs),
      slot.skill,
      slot.fate === "onTime" ? paint.green(fateText(slot)) : paint.yellow(fateText(slot)),
      slot.reason ?? ""
    ])
  ])
  if (planned.length > limit) out.line(`and ${planned.length - limit} more; --limit shows them`)
  out.line(
    `${planned.length} slots: ${
      countsOf(planned)
        .map(([fate, count]) => `${count} ${words[fate]}`)
        .join(", ") || "none"
    }`
  )
}

/** As many as that in their order, those on time left out first: an outage is planned for the sake of the others. */
const picked = (planned: ReadonlyArray<Planned>, limit: number): ReadonlyArray<Planned> => {
  const { true: onTime = [], false: others = [] } = Object.groupBy(planned, ({ fate }) => `${fate === "onTime"}` as const)
  const chosen = new Set([...others, ...onTime].slice(0, limit))
  return planned.filter((slot) => chosen.has(slot))
}

const words: Readonly<Record<Planned["fate"], string>> = {
  onTime: "on time",
  late: "late",
  coalesced: "coalesced",
  skipped: "skipped",
  missed: "missed",
  superseded: "superseded",
  waits: "waiting at the end",
  unforeseen: "not foreseen"
}

const fateText = ({ fate, lateMs = 0, run }: Planned): string =>
  fate === "late" ? `late by ${length(lateMs)}` : fate === "coalesced" ? `coalesced into ${run}` : fate === "waits" ? "waits" : words[fate]

/** In the order of the words, without those of which there are none. */
const countsOf = (planned: ReadonlyArray<Planned>): ReadonlyArray<readonly [Planned["fate"], number]> => {
  const counts = Map.groupBy(planned, ({ fate }) => fate)
  return (Object.keys(words) as ReadonlyArray<Planned["fate"]>).flatMap((fate) => {
    const count = counts.get(fate)?.length
    return count === undefined ? [] : [[fate, count] as const]
  })
}
