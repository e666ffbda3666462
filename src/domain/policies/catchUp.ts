/** What becomes of slots that are owed: each of them runs, is coalesced into a later run, or is missed; never two, never none. */
import type { CatchUp } from "../Skill.ts"

/** What a skill owes at some instant. Instants are milliseconds since the Unix epoch. */
export interface Owed {
  readonly count: number
  /** The oldest and the newest of them; not read when `count` is 0. */
  readonly firstMs: number
  readonly lastMs: number
  /** The newest of them in ascending order: all, or `catchUpMax + 1` of them. */
  readonly newest: ReadonlyArray<number>
}

/** Slots in a row that share one ending: `count` of them from `slot` through `through`, as the journal has it. */
export interface SlotRange {
  readonly slot: number
  readonly through: number
  readonly count: number
  readonly reason: string
}

export interface CatchUpDecision {
  /** Slots that get a run of their own, in ascending order. */
  readonly run: ReadonlyArray<number>
  /** Slots whose work the run of the slot `into` does too. */
  readonly coalesced: ReadonlyArray<SlotRange & { readonly into: number }>
  readonly missed: ReadonlyArray<SlotRange>
  /** How many slots the run of this slot makes good, itself not counted. */
  readonly missedCountFor: (slot: number) => number
}

/**
 * Decides over every owed slot at once.
 *
 * A slot is late when `nowMs` is more than `missedAfterMs` past it. The newest slot, if on time, always runs. `latest`:
 * the newest runs and makes the others good. `all`: the newest `catchUpMax` (1 or more) run, oldest first; those before
 * them are missed. `none`: late slots are missed; of those on time the newest runs and makes the others good.
 */
export const decideCatchUp = ({
  owed,
  nowMs,
  catchUp,
  missedAfterMs,
  catchUpMax
}: {
  readonly owed: Owed
  readonly nowMs: number
  readonly catchUp: CatchUp
  readonly missedAfterMs: number
  readonly catchUpMax: number
}): CatchUpDecision => {
  if (owed.count === 0) return decision([], [], [])
  switch (catchUp) {
    case "latest":
      return decision([owed.lastMs], before(owed, 1, 0, "a later slot's run does its work"), [])
    case "all":
      return decision(owed.newest.slice(-catchUpMax), [], before(owed, Math.min(catchUpMax, owed.count), 0, "over the catch-up limit"))
    case "none": {
      // Where not all are listed, the oldest listed and those before it count as late: the list is longer than what can be on time.
      const listed = owed.count > owed.newest.length ? owed.newest.slice(1) : owed.newest
      const onTime = listed.filter((slot) => nowMs - slot <= missedAfterMs).length
      const missed = before(owed, onTime, 0, "late, and the skill does not catch up")
      return onTime === 0
        ? decision([], [], missed)
        : decision([owed.lastMs], before(owed, 1, owed.count - onTime, "a later slot's run does its work"), missed)
    }
  }
}

/** The owed slots but for the oldest `without` and the newest `kept`: one range, or none when nothing is left. */
const before = (owed: Owed, kept: number, without: number, reason: string): ReadonlyArray<SlotRange> => {
  const count = owed.count - kept - without
  if (count <= 0) return []
  const fromEnd = (position: number) => owed.newest[owed.newest.length - 1 - position]!
  const slot = without === 0 ? owed.firstMs : fromEnd(owed.count - without - 1)
  return [{ slot, through: fromEnd(kept), count, reason }]
}

const decision = (run: ReadonlyArray<number>, coalesced: ReadonlyArray<SlotRange>, missed: ReadonlyArray<SlotRange>): CatchUpDecision => {
  const into = run[run.length - 1]
  return {
    run,
    coalesced: into === undefined ? [] : coalesced.map((range) => ({ ...range, into })),
    missed,
    missedCountFor: (slot) => (slot === into ? coalesced.reduce((sum, range) => sum + range.count, 0) : 0)
  }
}
