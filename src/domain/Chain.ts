/** Skills that are due after others: whether such a chain can be followed. */
import { nearest, ScheduleInvalid } from "./Errors.ts"
import type { SkillDefinition } from "./Skill.ts"

/** SCHEDULE_AFTER_UNKNOWN or SCHEDULE_CIRCLE for a skill that waits for one that is not there, or in the end for itself. */
export const chainProblem = (
  { name, schedule }: SkillDefinition,
  all: ReadonlyMap<string, SkillDefinition>
): ScheduleInvalid | undefined => {
  if (schedule?._tag !== "After") return undefined
  const where = `skills.${name}.schedule.after`
  if (!all.has(schedule.skill)) {
    const near = nearest(schedule.skill, all.keys())
    return new ScheduleInvalid({
      code: "SCHEDULE_AFTER_UNKNOWN",
      where,
      got: schedule.skill,
      want: "the name of a skill that is loaded",
      fix: near === undefined ? "add that skill, or correct the name" : `did you mean ${near}?`
    })
  }
  const chain = [name]
  for (let next: string | undefined = schedule.skill; next !== undefined; next = before(all.get(next))) {
    chain.push(next)
    if (next === name)
      return new ScheduleInvalid({
        code: "SCHEDULE_CIRCLE",
        where,
        got: chain.join(" after "),
        want: "a chain that begins with a skill of another schedule",
        fix: "give one of them a schedule of its own"
      })
    if (chain.length > all.size + 1) return undefined // It leads into a circle of others, who are told.
  }
  return undefined
}

const before = (definition: SkillDefinition | undefined): string | undefined =>
  definition?.schedule?._tag === "After" ? definition.schedule.skill : undefined
