/** The rate at which late work begins after an outage, so that it does not end in a storm. Instants are milliseconds. */

export interface RampRate {
  /** How much work begins a minute, in the costs that skills declare. */
  readonly perMinute: number
  /** How much begins at once before the rate is felt. */
  readonly burst: number
}

/** What a small machine takes: the first fifty at once, then five a second. */
export const rampDefault: RampRate = { perMinute: 300, burst: 50 }

/**
 * When work of this cost may begin, and the time up to which the rate is used then. `usedUntilMs` is that of the turn before; it
 * runs ahead of the clock by as much as the burst takes. (The generic cell rate algorithm.)
 */
export const nextTurn = (
  usedUntilMs: number,
  nowMs: number,
  cost: number,
  { perMinute, burst }: RampRate
): { readonly atMs: number; readonly usedUntilMs: number } => {
  const startMs = Math.max(usedUntilMs, nowMs)
  const untilMs = startMs + (cost * 60_000) / perMinute
  return { atMs: Math.max(nowMs, Math.ceil(untilMs - (Math.max(burst, cost) * 60_000) / perMinute)), usedUntilMs: untilMs }
}
