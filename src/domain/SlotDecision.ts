/** What becomes of the slots that a skill owes, all of them in one decision: they run, they are settled without a run, or they wait. */
import { showDuration } from "./durations.ts"
import type { Verdict } from "./Outcome.ts"
import { type OwedSlots, owedSlots } from "./Owed.ts"
import { decideCatchUp, type Owed, type SlotRange } from "./policies/catchUp.ts"
import { dayOf, type Paced, type Schedule } from "./Schedule.ts"
import { catchUpMax, missedAfterMs, type SkillDefinition } from "./Skill.ts"
import { anyTime, clockTime, lateOpening, stretchesWithout, type Timing } from "./Timing.ts"

export type SlotDecision =
  | {
      readonly _tag: "Settle"
      /** Slots that get a run of their own, ascending, each with the number of missed ones that its run makes good. */
      readonly runs: ReadonlyArray<{ readonly slotAtMs: number; readonly missed: number }>
      /** The others; `into` is the slot whose run does their work. */
      readonly settled: ReadonlyArray<SettledRange>
      /** Whether the newest slot can begin on time; what was missed does not make others give way. */
      readonly onTime: boolean
    }
  /** Nothing is settled yet; at this instant, or when the next slot is due, they are looked at again. */
  | { readonly _tag: "Wait"; readonly untilMs: number; readonly reason: string }

export type SettledRange = SlotRange & { readonly verdict: Verdict; readonly into?: number }

/** What the decision depends on beside the skill. Instants are milliseconds since the Unix epoch. */
export interface Circumstances {
  readonly nowMs: number
  readonly settledThroughMs: number
  /** When the latest run of the skill was claimed. */
  readonly lastClaimedAtMs: number | undefined
  /** Why a slot that falls due now is skipped: runs are under way. */
  readonly overlap: string | undefined
  /** From when on late work may begin, so that an outage does not end in a storm. Asked only where there is some. */
  readonly turn: () => number
}

export const decideSlots = (
  { timing = anyTime, catchUp }: Pick<SkillDefinition, "timing" | "catchUp">,
  schedule: Schedule,
  { nowMs, settledThroughMs, lastClaimedAtMs, overlap, turn }: Circumstances
): SlotDecision => {
  const day = schedule._tag === "Paced" ? dayOf(schedule, nowMs) : undefined
  const span = { afterMs: settledThroughMs, throughMs: nowMs - timing.delayMs, listed: catchUpMax + 1 }
  const slots = owedSlots(schedule, span, stretchesWithout(timing, nowMs, day?.beginsMs))
  const { open } = slots
  if (open.count === 0) return settled(slots, [])
  const onTime = nowMs - timing.delayMs - open.lastMs <= missedAfterMs
  const pacedDay = catchUp === "none" ? undefined : day
  if (onTime && overlap !== undefined && pacedDay === undefined)
    return settled(slots, [{ ...whole(open), verdict: "skipped", reason: overlap }])
  if (!onTime) {
    const opensAtMs = lateOpening(timing, nowMs)
    if (opensAtMs !== undefined) return wait(opensAtMs, `late work begins after ${clockTime(timing.lateHours!.fromMinute)}`)
    const turnAtMs = turn()
    if (turnAtMs > nowMs) return wait(turnAtMs, "late work begins at a bounded rate")
  }
  if (pacedDay !== undefined) {
    return paced(schedule as Paced, slots, { nowMs, delayMs: timing.delayMs, endsMs: pacedDay.endsMs, lastClaimedAtMs, overlap })
  }
  const lateToo = onTime && catchUp === "all" && lateOpening(timing, nowMs) !== undefined // Its hours are not now, and the new slot goes on.
  const { run, coalesced, missed, missedCountFor } = decideCatchUp({
    owed: open,
    nowMs: nowMs - timing.delayMs,
    catchUp: lateToo ? "none" : catchUp,
    missedAfterMs,
    catchUpMax
  })
  return settled(
    slots,
    [
      ...missed.map((range): SettledRange => ({ ...range, verdict: "missed" })),
      ...coalesced.map((range): SettledRange => ({ ...range, verdict: "coalesced" }))
    ],
    run.map((slotAtMs) => ({ slotAtMs, missed: missedCountFor(slotAtMs) })),
    onTime
  )
}

/** Of the slots of a day the oldest first, each as soon as the one before it is long enough ago, and none after the day's last hour. */
const paced = (
  { apartMs }: Paced,
  slots: OwedSlots,
  day: Pick<Timing, "delayMs"> & Pick<Circumstances, "nowMs" | "lastClaimedAtMs" | "overlap"> & { readonly endsMs: number }
): SlotDecision => {
  const { open, closed } = slots
  const apartAtMs = (day.lastClaimedAtMs ?? -Infinity) + apartMs
  const beginsMs = Math.max(day.nowMs, apartAtMs)
  const endsMs = day.endsMs + day.delayMs + missedAfterMs
  if (beginsMs > endsMs) return settled(slots, [{ ...whole(open), verdict: "missed", reason: "no room is left in its day" }])
  if (beginsMs > day.nowMs) return wait(beginsMs, `its runs are ${showDuration(apartMs)} apart`)
  const earlier = closed.filter(({ through }) => through < open.firstMs) // What is settled counts up to there.
  const slot = open.firstMs
  return day.overlap === undefined
    ? { _tag: "Settle", runs: [{ slotAtMs: slot, missed: 0 }], settled: earlier, onTime: true }
    : {
        _tag: "Settle",
        runs: [],
        settled: [...earlier, { slot, through: slot, count: 1, verdict: "skipped", reason: day.overlap }],
        onTime: true
      }
}

const settled = (
  { closed, cut }: OwedSlots,
  ranges: ReadonlyArray<SettledRange>,
  runs: Extract<SlotDecision, { readonly _tag: "Settle" }>["runs"] = [],
  onTime = false
): SlotDecision => ({ _tag: "Settle", runs, settled: [...closed, ...ranges.flatMap(cut)], onTime })

const whole = ({ firstMs, lastMs, count }: Owed): Omit<SlotRange, "reason"> => ({ slot: firstMs, through: lastMs, count })

const wait = (untilMs: number, reason: string): SlotDecision => ({ _tag: "Wait", untilMs, reason })
