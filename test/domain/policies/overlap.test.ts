import { expect, it } from "vitest"
import { atOnce, atOnceMax, decideOverlap, waitingMax } from "../../../src/domain/policies/overlap.ts"
import { overlaps } from "../../../src/domain/Skill.ts"

const run = { _tag: "Run" }
const skip = (reason: string) => ({ _tag: "Skip", reason })
const many = (count: number) => Array.from({ length: count }, (_, i) => `r${i}`)

it("runs where nothing of the skill is under way, whatever the policy", () => {
  for (const overlap of overlaps) expect(decideOverlap(overlap, [])).toEqual(run)
})

it.each([
  ["skip", ["a"], skip("a is under way")],
  ["bufferOne", ["a"], run],
  ["bufferOne", ["a", "b"], skip("a is under way and b waits")],
  ["bufferAll", many(waitingMax), run],
  ["bufferAll", many(waitingMax + 1), skip(`r0 is under way and ${waitingMax} wait`)],
  ["cancelOther", ["a"], { _tag: "Replace", run: "a", grace: true }],
  ["cancelOther", ["a", "b"], skip("a is being ended and b waits")],
  ["terminateOther", ["a"], { _tag: "Replace", run: "a", grace: false }],
  ["terminateOther", ["a", "b"], skip("a is being ended and b waits")],
  ["allowAll", many(atOnceMax - 1), run],
  ["allowAll", many(atOnceMax), skip(`${atOnceMax} runs are under way`)]
] as const)("%s with %j claimed decides %j", (overlap, runs, decision) => {
  expect(decideOverlap(overlap, runs)).toEqual(decision)
})

it("lets one run of a skill be under way, and many where all may", () => {
  expect(overlaps.map(atOnce)).toEqual([1, 1, 1, 1, 1, atOnceMax])
})
