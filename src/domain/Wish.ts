/** What a person wants of a skill, and why one does not work, as it stands on records and screens. */
import { shown } from "./Errors.ts"
import { iso } from "./Run.ts"

/** Who pauses or resumes a skill, and why, in words for people. */
export interface Wish {
  readonly by: string
  /** At most 500 characters. */
  readonly why: string
}

/** Why slots do not become runs in a pause. */
export const pausedReason = ({ by, why }: Wish): string => `paused by ${shown(by)}${why === "" ? "" : `: ${shown(why)}`}`

/** Why slots of a skill that is put aside do not become runs; with the instant of its probe, where there is to be one. */
export const asideReason = (why: string, probeAtMs: number | undefined): string =>
  `${shown(why)}${probeAtMs === undefined ? "" : `; tried again at ${iso(probeAtMs)}`}`
