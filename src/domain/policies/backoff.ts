/** How long to wait before the next try at the gateway. Pure: chance comes in as a number. */

/** How eagerly a peer is tried again. Milliseconds. */
export interface Backoff {
  /** No two tries are nearer to each other than this. */
  readonly leastMs: number
  /** The first range from which the rest of the wait is drawn; it doubles with each failed try in a row, up to `capMs`. */
  readonly firstMs: number
  readonly capMs: number
}

export const backoffs = {
  /** Ourselves: at most five tries a second, and back within half a second of any outage. Nobody is herded, so nothing grows much. */
  loopback: { leastMs: 200, firstMs: 50, capMs: 100 },
  /** Another machine: many clients may have lost it at the same time, so the whole range is drawn from. */
  remote: { leastMs: 100, firstMs: 500, capMs: 30_000 }
} as const satisfies Record<string, Backoff>

/** Whether the peer is on this machine. */
export type Distance = keyof typeof backoffs

/** After a refusal that only a person can cure: at most one try a minute. */
export const rejectedMs = 60_000
/** The longest wait a peer may ask of us: its number is not ours to trust. One that counts our tries would only count more of them. */
export const retryAfterMax = { limited: 900_000, other: 60_000 } as const

/** `failures` in a row, at least 1; `chance` from 0 to 1; `retryAfterMs` is what the peer asked for, a lower bound. */
export const backoffMs = (
  distance: Distance,
  failures: number,
  chance: number,
  retryAfterMs = 0,
  retryAfterMaxMs: number = retryAfterMax.other
): number => {
  const policy = backoffs[distance]
  const range = Math.min(policy.capMs, policy.firstMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(Math.max(policy.leastMs, Math.min(retryAfterMs, retryAfterMaxMs)) + chance * range)
}
