/** Whether a skill whose runs fail is put aside, and when it may show that it works again: a circuit breaker. */
import type { Outcome } from "../Outcome.ts"
import { type Intensity, recent } from "./intensity.ts"

/** How long after it was put aside a skill is tried again; doubled with each try that fails, up to the longest. */
export const probeFirstMs = 3_600_000
export const probeMaxMs = 24 * 3_600_000
/** Deaths of the runtime, one after the other, with the same skill alone at work: from here on it counts as their cause. */
export const deathsMax = 2

/** How a settled run changes the standing of its skill. */
export type Standing =
  | { readonly _tag: "Unchanged" }
  | { readonly _tag: "Aside"; readonly probeInMs: number; readonly probes: number }
  | { readonly _tag: "Trusted" }

export const decideStanding = ({
  outcome,
  failedAtMs,
  nowMs,
  probes,
  intensity
}: {
  readonly outcome: Outcome
  /** When its runs failed, this one included. */
  readonly failedAtMs: ReadonlyArray<number>
  readonly nowMs: number
  /** How many tries have failed since it was put aside; nothing while it is not. */
  readonly probes: number | undefined
  /** No failures at all permitted means that it is never put aside. */
  readonly intensity: Intensity
}): Standing => {
  if (probes !== undefined) {
    if (outcome === "cancelled") return { _tag: "Unchanged" }
    return outcome === "success" ? { _tag: "Trusted" } : { _tag: "Aside", ...nextProbe(probes + 1) }
  }
  const tooMany = intensity.failuresMax > 0 && outcome === "failed" && recent(failedAtMs, nowMs, intensity).length >= intensity.failuresMax
  return tooMany ? { _tag: "Aside", ...nextProbe(0) } : { _tag: "Unchanged" }
}

/** When the next try is due after so many that failed. */
export const nextProbe = (probes: number): { readonly probeInMs: number; readonly probes: number } => ({
  probeInMs: Math.min(probeMaxMs, probeFirstMs * 2 ** probes),
  probes
})
