/** What a slot does that falls due while a run of its skill is under way. */
import type { Overlap } from "../Skill.ts"

export type OverlapDecision =
  | { readonly _tag: "Run" }
  /** The slot is settled as `skipped`, with this reason. */
  | { readonly _tag: "Skip"; readonly reason: string }

/** `running` is the id of the skill's unsettled run, if there is one. */
export const decideOverlap = (overlap: Overlap, running: string | undefined): OverlapDecision => {
  if (running === undefined) return { _tag: "Run" }
  switch (overlap) {
    case "skip":
      return { _tag: "Skip", reason: `${running} is under way` }
  }
}
