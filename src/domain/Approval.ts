/** Which skill files somebody has looked at: a skill that needs approval runs only as it was when it got it. */
import { SkillInvalid } from "./Errors.ts"
import { iso } from "./Run.ts"
import type { SkillDefinition } from "./Skill.ts"

/** The latest approval of a skill. */
export interface Approval {
  readonly digest: string
  readonly by: string
  readonly atMs: number
}

/** Why a skill may not run: SKILL_UNAPPROVED, or SKILL_CHANGED since it was approved. Nothing where it may. */
export const approvalProblem = (
  { name, digest, pinned, work }: SkillDefinition,
  approvals: ReadonlyMap<string, Approval>
): SkillInvalid | undefined => {
  if (pinned === undefined || work._tag === "Function") return undefined
  const approval = approvals.get(name)
  if (approval?.digest === digest) return undefined
  const fix = `look at its files, then: holdfast skills approve ${name}`
  const where = `${work.folder}/SKILL.md`
  const got = `digest ${digest.slice(0, 16)}`
  return approval === undefined
    ? new SkillInvalid({ code: "SKILL_UNAPPROVED", where, got, want: "a skill that somebody has approved", fix })
    : new SkillInvalid({
        code: "SKILL_CHANGED",
        where,
        got,
        want: `${approval.digest.slice(0, 16)}, approved by ${approval.by} at ${iso(approval.atMs)}`,
        fix
      })
}
