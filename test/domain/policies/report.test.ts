import { expect, it } from "vitest"
import { decideReport } from "../../../src/domain/policies/report.ts"

it.each([
  ["always", "success", "success", true],
  ["never", "failed", undefined, false],
  ["failure", "success", "failed", false],
  ["failure", "failed", "failed", true],
  ["failure", "unproven", "success", true],
  ["change", "success", undefined, true],
  ["change", "success", "success", false],
  ["change", "success", "failed", true],
  ["change", "success", "interrupted", true],
  ["change", "failed", "success", true],
  ["change", "failed", "failed", true]
] as const)("report %s: %s after %s is told: %s", (when, outcome, previousOutcome, told) => {
  expect(decideReport(when, { outcome, previousOutcome })).toBe(told)
})
