import { expect, it } from "vitest"
import { decideRetry } from "../../../src/domain/policies/retry.ts"

const retry = { attemptsMax: 5, firstMs: 1_000, capMs: 3_000 }
const decide = (failedAttempts: number, retryable = true) => decideRetry({ failedAttempts, retry, retryable })

it("doubles the delay up to its cap and ends with the last attempt", () => {
  expect([1, 2, 3, 4, 5, 6].map((n) => decide(n)?.delayMs)).toEqual([1_000, 2_000, 3_000, 3_000, undefined, undefined])
})
it("does not try again what trying again cannot help", () => {
  expect(decide(1, false)).toBeUndefined()
})
it("stays finite after a hundred failures", () => {
  expect(decideRetry({ failedAttempts: 99, retry: { ...retry, attemptsMax: 100 }, retryable: true })).toEqual({ delayMs: 3_000 })
})
