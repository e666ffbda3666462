/** Restart intensity, in the sense of Erlang/OTP: how many failures within how long are still worth a restart. */

export interface Intensity {
  readonly failuresMax: number
  readonly windowMs: number
}

/** OTP's idea with an agent's figures: five failures in fifteen minutes. */
export const skillIntensity: Intensity = { failuresMax: 5, windowMs: 15 * 60_000 }

/** Starts of a runtime that does not stay: so many within ten minutes, and from then on none of its skills fires for a while. */
export const startIntensity: Intensity = { failuresMax: 5, windowMs: 10 * 60_000 }
/** A runtime that has been up for so long, in milliseconds, is one that stays. */
export const stableAfterMs = 60_000

/** The failures that still count at `nowMs`. */
export const recent = (failuresAtMs: ReadonlyArray<number>, nowMs: number, { windowMs }: Intensity): ReadonlyArray<number> =>
  failuresAtMs.filter((atMs) => nowMs - atMs < windowMs)

/** Whether one more restart is permitted after these failures. */
export const withinIntensity = (failuresAtMs: ReadonlyArray<number>, nowMs: number, intensity: Intensity): boolean =>
  recent(failuresAtMs, nowMs, intensity).length <= intensity.failuresMax
