import { expect, it } from "vitest"
import { decideOverlap } from "../../../src/domain/policies/overlap.ts"

it("skips a slot while a run is under way and names that run", () => {
  expect(decideOverlap("skip", undefined)).toEqual({ _tag: "Run" })
  expect(decideOverlap("skip", "a@20261122T060000Z")).toEqual({ _tag: "Skip", reason: "a@20261122T060000Z is under way" })
})
