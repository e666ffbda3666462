/** One try of a run: what it is given, and what it comes to. */
import type { Ending, FailureClass } from "./Ending.ts"
import type { RunId } from "./Run.ts"
import type { Fields } from "./SkillContext.ts"

/**
 * How an attempt ended. Failures of skills are values: only a defect of ours is anything else. `Mismatched`: it went another
 * way than the steps on record; trying again cannot help, and to go on might do twice what was done under another name.
 */
export type AttemptEnd =
  | {
      readonly _tag: "Succeeded"
      readonly fields: Fields
      readonly summary: string | undefined
      /** What is missing of the evidence that the skill declares. */
      readonly unproven?: string
    }
  | { readonly _tag: "Mismatched"; readonly reason: string }
  /** How its process ended is not known, and its skill says to leave it there. */
  | { readonly _tag: "Interrupted"; readonly reason: string }
  /** It was not made: its run waited for longer than its skill permits. */
  | { readonly _tag: "TooLate"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly code: Ending; readonly reason: string; readonly retryable: boolean; readonly class?: FailureClass }

/** What every kind of work needs to know of the attempt it makes. */
export interface AttemptFacts {
  readonly run: RunId
  readonly skill: string
  readonly slotAtMs: number
  readonly attempt: number
  readonly missed: number
  readonly fence: number
  /** When the first attempt of its run began. */
  readonly startedAtMs?: number | undefined
  /** `runs/<run>/`, absolute; made before the attempt starts. */
  readonly directory: string
  /** The folder with the command `holdfast` for scripts, absolute; it may not exist. */
  readonly bin: string
  /** The file with the last history read, absolute; it may not exist. */
  readonly historyFile: string
}

/** Which process does the work, so that it can be told from a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** As the system tells it: clock ticks since boot on Linux, a date on macOS. */
  readonly startTime: string
  readonly bootId: string
}
