/** What a slot does that falls due while runs of its skill are claimed and not settled. */
import type { Overlap } from "../Skill.ts"

export type OverlapDecision =
  /** It gets a run, which starts as soon as it may. */
  | { readonly _tag: "Run" }
  /** The same, and this run is ended for it: with its grace, or at once. */
  | { readonly _tag: "Replace"; readonly run: string; readonly grace: boolean }
  /** The slot is settled as `skipped`, with this reason. */
  | { readonly _tag: "Skip"; readonly reason: string }

/** How many runs may wait where all wait, and be under way where all may: a schedule that is too quick must not eat the machine. */
export const waitingMax = 100
export const atOnceMax = 100

/** How many runs of a skill may be under way at a time. */
export const atOnce = (overlap: Overlap): number => (overlap === "allowAll" ? atOnceMax : 1)

/** `runs` are claimed and not settled, in the order of their claims: first those under way, then those that wait. */
export const decideOverlap = (overlap: Overlap, runs: ReadonlyArray<string>): OverlapDecision => {
  const [first, ...waiting] = runs
  if (first === undefined) return { _tag: "Run" }
  switch (overlap) {
    case "skip":
      return skip(`${first} is under way`)
    case "bufferOne":
      return waiting[0] === undefined ? { _tag: "Run" } : skip(`${first} is under way and ${waiting[0]} waits`)
    case "bufferAll":
      return waiting.length < waitingMax ? { _tag: "Run" } : skip(`${first} is under way and ${waiting.length} wait`)
    case "cancelOther":
    case "terminateOther":
      return waiting[0] === undefined
        ? { _tag: "Replace", run: first, grace: overlap === "cancelOther" }
        : skip(`${first} is being ended and ${waiting[0]} waits`)
    case "allowAll":
      return runs.length < atOnceMax ? { _tag: "Run" } : skip(`${runs.length} runs are under way`)
  }
}

const skip = (reason: string): OverlapDecision => ({ _tag: "Skip", reason })
