import { expect, it } from "vitest"
import { decideBudget } from "../../../src/domain/policies/budget.ts"

const day = 86_400_000
const nowMs = 10 * day

it.each<[string, ReadonlyArray<number>, number, number | undefined]>([
  ["nothing has begun", [], 1, undefined],
  ["fewer began than a day may have", [nowMs - 5], 2, undefined],
  ["as many began: when the oldest of them is a day old", [nowMs - 5, nowMs - 9], 2, nowMs - 9 + day],
  ["more began, since the budget was lowered: when only one less than it counts", [nowMs - 9, nowMs - 5, nowMs - 3], 2, nowMs - 5 + day],
  ["one began a day ago to the millisecond", [nowMs - day], 1, undefined],
  ["one began a day ago but for a millisecond", [nowMs - day + 1], 1, nowMs + 1],
  ["one seems yet to come, since the clock was set back", [nowMs + 60_000], 1, nowMs + 60_000 + day],
  ["one is from a clock that was years ahead", [nowMs + 999 * day], 1, undefined]
])("%s", (_, begunAtMs, perDay, nextAtMs) => {
  expect(decideBudget({ begunAtMs, perDay, nowMs })).toBe(nextAtMs)
  if (nextAtMs === undefined) return
  expect(decideBudget({ begunAtMs, perDay, nowMs: nextAtMs })).toBeUndefined()
  expect(decideBudget({ begunAtMs, perDay, nowMs: nextAtMs - 1 })).toBe(nextAtMs)
})
