/** What can run: a skill as the runtime holds it, after its file, the config and the defaults have been put together. */
import type { Evidence } from "./Evidence.ts"
import type { Intensity } from "./policies/intensity.ts"
import type { Schedule } from "./Schedule.ts"
import type { Timing } from "./Timing.ts"

/** The parts of the link a skill may need; without them its slots are held. */
export type Need = "session" | "gateway"

/** What does the work. Functions given in code live beside the definition, not in it: a definition is data. */
export type Work =
  /** A process: argv, never a shell. The first word is a path inside the skill's folder (`./...`) or a program on PATH. */
  | { readonly _tag: "Process"; readonly argv: readonly [string, ...ReadonlyArray<string>]; readonly folder: string }
  /** A module whose default export is `async (ctx) => ...`, run in a child host. `file` is absolute. */
  | { readonly _tag: "Module"; readonly file: string; readonly folder: string }
  /** The text of a SKILL.md, handed to the agent's command. */
  | {
      readonly _tag: "Prompt"
      readonly text: string
      /** With its placeholders. */
      readonly command: readonly [string, ...ReadonlyArray<string>]
      /** Attempts that may begin within 24 hours: of all prompt skills, and of this one. */
      readonly perDay: { readonly all: number | undefined; readonly own: number | undefined }
      readonly folder: string
    }
  /** A function given in code, run in this process. */
  | { readonly _tag: "Function" }

/** How failed attempts are tried again. Delays double from `firstMs` to `capMs`. */
export interface Retry {
  /** Attempts of one run in all, the first one included: 1 to 100. */
  readonly attemptsMax: number
  readonly firstMs: number
  readonly capMs: number
}

/** Which settled runs the session is told of. `change` is the first run, a failure, and the recovery after one. */
export type ReportWhen = "always" | "change" | "failure" | "never"

/** How a session is told of a run: by `inject` where no way is given, for as long as it takes, each report on its own. */
export interface ReportTerms {
  readonly when: ReportWhen
  readonly session: string | undefined
  readonly via?: ReportWay
  /** From the run's end on, in milliseconds; then the report is parked. */
  readonly keepForMs?: number
  readonly collapse?: boolean
}
/** `inject`: a row of its own, looked up before it is sent twice. `wake`, `hooks`: a line for the next heartbeat, which may be lost. */
export type ReportWay = "inject" | "wake" | "hooks" | "none"

export interface SkillDefinition {
  /** `[a-z0-9-]`, at most 64 characters, equal to the folder's name. A renamed skill is a new skill. */
  readonly name: string
  readonly description: string
  /** Without a schedule a skill runs only when it is triggered. */
  readonly schedule: Schedule | undefined
  readonly work: Work
  /** An attempt that takes longer is stopped: TERM to its group, `graceMs` later KILL. */
  readonly timeoutMs: number
  readonly graceMs: number
  /** An attempt that for so long prints nothing and comes to no step is stopped like one that takes too long. */
  readonly silenceMs?: number
  /** An attempt whose processes together hold more resident memory is killed. */
  readonly memoryBytes?: number
  readonly retry: Retry
  readonly catchUp: CatchUp
  /** When work begins beyond its slot; without it, with the slot. */
  readonly timing?: Timing
  /** What a run takes of the rate at which late work begins after an outage: 1 to 1,000, and 1 where nothing is said. */
  readonly cost?: number
  readonly overlap: Overlap
  /** The pool in which its attempts need a place, shared with other skills of that pool. */
  readonly pool?: string
  /** How many of its runs may fail within how long before it is put aside; none at all means that it never is. */
  readonly intensity?: Intensity
  /** After so many failed runs in a row it is paused, until somebody resumes it. */
  readonly pauseAfter?: number
  /** What a crash in the middle means: run it again, or put it on record and leave it. */
  readonly onInterruption: "rerun" | "record"
  /** What a start does with a process of it that outlived the last runtime; it is ended where nothing is said. */
  readonly onRuntimeDeath?: "kill" | "adopt"
  readonly needs: ReadonlyArray<Need>
  readonly report: ReportTerms
  /** What a success has to leave behind; without it a run is `unproven`. */
  readonly evidence?: Evidence
  /** Names of variables handed on from our own environment, beyond the fixed allow-list. */
  readonly env: ReadonlyArray<string>
  /** The job of another scheduler that it was made of: `openclaw/<id>`. */
  readonly importedFrom?: string
  /** SHA-256 over the files and settings that decide what a run does. */
  readonly digest: string
  /** The files that are part of the digest, of a skill that runs only as it was approved. Each attempt compares them. */
  readonly pinned?: ReadonlyArray<PinnedFile>
}

/** A file as it was when the skill was loaded. */
export interface PinnedFile {
  /** Absolute. */
  readonly file: string
  readonly sha256: string
}

/** Of the missed slots: the latest, all of them (at most `catchUpMax`), or none. */
export type CatchUp = "latest" | "all" | "none"
/** What a slot does while a run of its skill is under way, in Temporal's words. */
export const overlaps = ["skip", "bufferOne", "bufferAll", "cancelOther", "terminateOther", "allowAll"] as const
export type Overlap = (typeof overlaps)[number]

/** A missed slot is one whose work could not begin within this time of it. */
export const missedAfterMs = 5_000
/** `catchUp: all` runs at most this many missed slots; the older ones are on record as missed. */
export const catchUpMax = 10
/** The highest budget of prompts a day; so many of each skill are remembered. */
export const promptsMax = 1_000
/** A run that was interrupted this often by deaths of the runtime is not tried again: it may be their cause. */
export const interruptionsMax = 5

/** What a skill gets where its file and the config say nothing. */
export const skillDefaults = {
  timeoutMs: 10 * 60_000,
  graceMs: 10_000,
  retry: { attemptsMax: 3, firstMs: 1_000, capMs: 5 * 60_000 },
  catchUp: "latest",
  overlap: "skip",
  onInterruption: "rerun",
  needs: [],
  report: { when: "change", session: undefined },
  env: []
} as const satisfies Partial<SkillDefinition>
