/** Restart intensity, in the sense of Erlang/OTP: how many failures within how long are still worth a restart. */

export interface Intensity {
  readonly failuresMax: number
  readonly windowMs: number
}

/** OTP's idea with an agent's figures: five failures in fifteen minutes. */
export const skillIntensity: Intensity = { failuresMax: 5, windowMs: 15 * 60_000 }

/** The failures that still count at `nowMs`. */
export const recent = (failuresAtMs: ReadonlyArray<number>, nowMs: number, { windowMs }: Intensity): ReadonlyArray<number> =>
  failuresAtMs.filter((atMs) => nowMs - atMs < windowMs)

/** Whether one more restart is permitted after these failures. */
export const withinIntensity = (failuresAtMs: ReadonlyArray<number>, nowMs: number, intensity: Intensity): boolean =>
  recent(failuresAtMs, nowMs, intensity).length <= intensity.failuresMax
