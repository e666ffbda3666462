/** What a person wants of a skill, as it stands on records and screens. */
import { shown } from "./Errors.ts"

/** Who pauses or resumes a skill, and why, in words for people. */
export interface Wish {
  readonly by: string
  /** At most 500 characters. */
  readonly why: string
}

/** Why slots do not become runs in a pause. */
export const pausedReason = ({ by, why }: Wish): string => `paused by ${shown(by)}${why === "" ? "" : `: ${shown(why)}`}`
