/** Whether a failed attempt is tried again, and when. */
import type { Retry } from "../Skill.ts"

/**
 * The delay before the next attempt, in milliseconds; nothing when there is to be none. It is `firstMs` after the first
 * failure and doubles up to `capMs`. Only failures count: an attempt that a death of the runtime cut short is not one.
 */
export const decideRetry = ({
  failedAttempts,
  retry,
  retryable
}: {
  /** Failed attempts of this run, the latest one included: 1 or more. */
  readonly failedAttempts: number
  readonly retry: Retry
  readonly retryable: boolean
}): { readonly delayMs: number } | undefined =>
  retryable && failedAttempts < retry.attemptsMax
    ? { delayMs: Math.min(retry.capMs, retry.firstMs * 2 ** (failedAttempts - 1)) }
    : undefined
