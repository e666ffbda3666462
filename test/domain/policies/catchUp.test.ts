import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decideCatchUp, type Owed } from "../../../src/domain/policies/catchUp.ts"
import type { CatchUp } from "../../../src/domain/Skill.ts"

const catchUpMax = 10
const missedAfterMs = 5_000
const owedOf = (slots: ReadonlyArray<number>): Owed => ({
  count: slots.length,
  firstMs: slots[0] ?? 0,
  lastMs: slots.at(-1) ?? 0,
  newest: slots.slice(-(catchUpMax + 1))
})
const decide = (slots: ReadonlyArray<number>, nowMs: number, catchUp: CatchUp) =>
  decideCatchUp({ owed: owedOf(slots), nowMs, catchUp, missedAfterMs, catchUpMax })
const hours = (n: number) => Array.from({ length: n }, (_, i) => (i + 1) * 3_600_000)

/** Slots at various distances, and a time after the newest: on time, at the limit or late. */
const cases = fc
  .record({
    slots: fc
      .array(fc.integer({ min: 1, max: 4_000 }), { maxLength: 40 })
      .map((gaps) => gaps.reduce<Array<number>>((slots, gap) => [...slots, (slots.at(-1) ?? 0) + gap], [])),
    lateMs: fc.oneof(fc.integer({ min: 0, max: 12_000 }), fc.constantFrom(4_999, 5_000, 5_001)),
    catchUp: fc.constantFrom<CatchUp>("latest", "all", "none")
  })
  .map(({ slots, lateMs, catchUp }) => ({ slots, nowMs: (slots.at(-1) ?? 0) + lateMs, catchUp }))

describe("catch-up", () => {
  it("gives every owed slot exactly one ending", () => {
    fc.assert(
      fc.property(cases, ({ slots, nowMs, catchUp }) => {
        const { run, coalesced, missed, missedCountFor } = decide(slots, nowMs, catchUp)
        const ended = [...run]
        for (const range of [...coalesced, ...missed]) {
          const inside = slots.filter((slot) => slot >= range.slot && slot <= range.through)
          expect(inside).toHaveLength(range.count)
          expect(inside[0]).toBe(range.slot)
          expect(inside.at(-1)).toBe(range.through)
          ended.push(...inside)
        }
        expect(ended.sort((a, b) => a - b)).toEqual(slots)
        for (const range of coalesced) expect(run).toContain(range.into)
        expect(run.map(missedCountFor).reduce((sum, n) => sum + n, 0)).toBe(coalesced.reduce((sum, { count }) => sum + count, 0))
      }),
      { numRuns: 2_000 }
    )
  })
  it("always runs a newest slot that is on time, and runs in the order of the slots", () => {
    fc.assert(
      fc.property(cases, ({ slots, nowMs, catchUp }) => {
        const { run } = decide(slots, nowMs, catchUp)
        const last = slots.at(-1)
        if (last !== undefined && (nowMs - last <= missedAfterMs || catchUp !== "none")) expect(run.at(-1)).toBe(last)
        else expect(run).toEqual([])
        expect([...run].sort((a, b) => a - b)).toEqual(run)
        expect(run.length).toBeLessThanOrEqual(catchUp === "all" ? catchUpMax : 1)
      }),
      { numRuns: 2_000 }
    )
  })
  it("latest: one run makes a night good and says how many slots it stands for", () => {
    const { run, coalesced, missed, missedCountFor } = decide(hours(20), 21 * 3_600_000, "latest")
    expect(run).toEqual([20 * 3_600_000])
    expect(coalesced).toMatchObject([{ slot: 3_600_000, through: 19 * 3_600_000, count: 19, into: 20 * 3_600_000 }])
    expect(missed).toEqual([])
    expect(missedCountFor(20 * 3_600_000)).toBe(19)
  })
  it("all: the newest ten run, those before them are missed", () => {
    const { run, coalesced, missed } = decide(hours(20), 21 * 3_600_000, "all")
    expect(run).toEqual(hours(20).slice(10))
    expect(coalesced).toEqual([])
    expect(missed).toMatchObject([{ slot: 3_600_000, through: 10 * 3_600_000, count: 10, reason: "over the catch-up limit" }])
    expect(decide(hours(3), 4 * 3_600_000, "all")).toMatchObject({ run: hours(3), missed: [] })
  })
  it("none: late slots are missed, to the millisecond", () => {
    expect(decide([1_000], 6_000, "none")).toMatchObject({ run: [1_000], missed: [] })
    expect(decide([1_000], 6_001, "none")).toMatchObject({ run: [], missed: [{ slot: 1_000, through: 1_000, count: 1 }] })
    expect(decide([1_000, 2_000, 3_000], 6_500, "none")).toMatchObject({
      run: [3_000],
      coalesced: [{ slot: 2_000, through: 2_000, count: 1, into: 3_000 }],
      missed: [{ slot: 1_000, count: 1 }]
    })
  })
  it("none: where slots come faster than they are listed, those not listed count as late", () => {
    const slots = Array.from({ length: 20 }, (_, i) => (i + 1) * 100)
    const { run, coalesced, missed } = decide(slots, 2_000, "none")
    expect(run).toEqual([2_000])
    expect(coalesced).toMatchObject([{ slot: 1_100, through: 1_900, count: 9 }])
    expect(missed).toMatchObject([{ slot: 100, through: 1_000, count: 10 }])
  })
  it("decides nothing where nothing is owed", () => {
    expect(decide([], 0, "latest")).toMatchObject({ run: [], coalesced: [], missed: [] })
  })
})
