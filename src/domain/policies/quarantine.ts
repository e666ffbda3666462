/** Whether a skill whose runs fail is put aside, and when it may show that it works again: a circuit breaker. */
import type { Outcome } from "../Outcome.ts"

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
  failures,
  failuresMax,
  probes
}: {
  readonly outcome: Outcome
  /** How many of its runs have failed of late, this one included, and how many are one too many: none means that it is never put aside. */
  readonly failures: number
  readonly failuresMax: number
  /** How many tries have failed since it was put aside; nothing while it is not. */
  readonly probes: number | undefined
}): Standing => {
  if (probes !== undefined) {
    if (outcome === "cancelled") return { _tag: "Unchanged" }
    return outcome === "success" ? { _tag: "Trusted" } : { _tag: "Aside", ...nextProbe(probes + 1) }
  }
  const tooMany = failuresMax > 0 && outcome === "failed" && failures >= failuresMax
  return tooMany ? { _tag: "Aside", ...nextProbe(0) } : { _tag: "Unchanged" }
}

/** When the next try is due after so many that failed. */
export const nextProbe = (probes: number): { readonly probeInMs: number; readonly probes: number } => ({
  probeInMs: Math.min(probeMaxMs, probeFirstMs * 2 ** probes),
  probes
})
