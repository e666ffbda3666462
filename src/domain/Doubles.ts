/** Work that two schedulers would do, or none: skills beside the jobs of other schedulers on this machine. */
import * as Result from "effect/Result"
import { type ForeignJob, originOf, slug } from "./ForeignJob.ts"
import type { Schedule } from "./Schedule.ts"
import { readSchedule } from "./ScheduleFile.ts"
import type { SkillDefinition } from "./Skill.ts"

export interface Double {
  readonly skill: string
  readonly job: ForeignJob
  /** How sure it is: its marker, or the same work at the same times, is proof; a name is a hint. `none` has no scheduler at all. */
  readonly by: "importedFrom" | "work" | "name" | "none"
}

/** A skill that nothing fires is no double: without a schedule, or paused. `zone` is for jobs that name none. */
export const doubles = (
  skills: ReadonlyArray<SkillDefinition>,
  paused: ReadonlySet<string>,
  jobs: ReadonlyArray<ForeignJob>,
  zone: string
): ReadonlyArray<Double> =>
  skills.flatMap((skill) =>
    jobs.flatMap((job): ReadonlyArray<Double> => {
      const mine = skill.importedFrom === originOf(job)
      if (skill.schedule === undefined) return mine && !job.enabled ? [{ skill: skill.name, job, by: "none" }] : []
      if (!job.enabled || paused.has(skill.name)) return []
      const by = mine
        ? "importedFrom"
        : sameWork(skill, skill.schedule, job, zone)
          ? "work"
          : slug(job.name) === skill.name
            ? "name"
            : undefined
      return by === undefined ? [] : [{ skill: skill.name, job, by }]
    })
  )

const sameWork = ({ work }: SkillDefinition, schedule: Schedule, { made }: ForeignJob, zone: string): boolean => {
  if (Result.isFailure(made) || made.success.settings.schedule === undefined) return false
  const { settings, prompt } = made.success
  const theirs = readSchedule(
    settings.schedule!,
    () => zone,
    () => ""
  )
  if (Result.isFailure(theirs) || times(theirs.success) !== times(schedule)) return false
  return work._tag === "Process"
    ? JSON.stringify(work.argv) === JSON.stringify(settings.run)
    : work._tag === "Prompt" && prompt !== undefined && work.text.trim() === prompt.trim()
}

/** Intervals are compared without their grid: another one shifts its own. */
const times = (schedule: Schedule): string => JSON.stringify(schedule._tag === "Every" ? { ...schedule, anchorMs: 0 } : schedule)
