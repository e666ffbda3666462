/** A job of another scheduler, as far as a skill can be made of it, and the SKILL.md that is written for it. */
import type * as Result from "effect/Result"
import { shown } from "./Errors.ts"
import { nameRule } from "./Run.ts"
import type { SkillSettings } from "./SkillFile.ts"

/** Whose jobs can be read. */
export type Scheduler = "openclaw" | "crontab" | "hermes"

/** What becomes of a job: settings with its schedule, and what is different from then on. */
export interface SkillMade {
  readonly settings: SkillSettings
  /** Of a prompt: the text for the agent. */
  readonly prompt?: string
  /** Half a sentence each. */
  readonly differs: ReadonlyArray<string>
}

export interface ForeignJob {
  readonly from: Scheduler
  /** How the other scheduler knows it. */
  readonly id: string
  /** What it is called there. */
  readonly name: string
  /** Whether the other scheduler runs it now. */
  readonly enabled: boolean
  /** Of a single run: when it is due. */
  readonly onceAtMs?: number
  /** The skill, or in half a sentence why there can be none. */
  readonly made: Result.Result<SkillMade, string>
}

/** What stands under `importedFrom` of the skill that was made of it. */
export const originOf = ({ from, id }: ForeignJob): string => `${from}/${id}`

/** Names for the skills, by job: as it is called there where that makes a name, and told apart by the job's id where two would be one. */
export const skillNames = (jobs: ReadonlyArray<ForeignJob>): ReadonlyMap<ForeignJob, string> => {
  const names = jobs.map((job) => slug(job.name) || `${job.from}-${slug(job.id).slice(0, 8)}`)
  return new Map(
    jobs.map((job, i) => {
      const name = names[i]!
      const alone = names.indexOf(name) === names.lastIndexOf(name)
      return [job, alone ? name : slug(`${name.slice(0, 55)}-${slug(job.id).slice(0, 8)}`)]
    })
  )
}

/** As a skill may be called, or empty where nothing of it can stay. */
export const slug = (text: string): string => {
  const name = text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 64)
    .replace(/^-+|-+$/g, "")
  return nameRule.test(name) ? name : ""
}

/**
 * The text of its SKILL.md. Without `scheduled` the schedule is there as a comment: the skill runs by hand alone, so that no
 * slot has two schedulers, and whoever has ended the job there takes the mark away.
 */
export const skillFile = (job: ForeignJob, name: string, { settings, prompt, differs }: SkillMade, scheduled: boolean): string => {
  const { schedule, ...rest } = settings
  const line = `schedule: ${JSON.stringify(schedule)}`
  return [
    "---",
    `name: ${name}`,
    `description: ${JSON.stringify(`Imported from ${job.from}: ${shown(job.name)}`)}`,
    "metadata:",
    "  holdfast:",
    `    importedFrom: ${JSON.stringify(originOf(job))}`,
    ...(scheduled
      ? [`    ${line}`]
      : [`    # Still enabled in ${job.from}. Disable it there, then take the mark away in front of the next line.`, `    # ${line}`]),
    ...Object.entries(rest).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`),
    "---",
    ...(prompt === undefined ? [`Made from the job ${shown(job.name)} of ${job.from}.`, ...differs.map((what) => `- ${what}`)] : [prompt]),
    ""
  ].join("\n")
}

/** A command that starts in a folder, with variables of its own: by `cd` and `env`, since a skill starts in its folder and hands on few. */
export const placedCommand = (argv: ReadonlyArray<string>, cwd: string | undefined, env: Readonly<Record<string, string>>) => {
  const set = Object.entries(env).map(([key, value]) => `${key}=${value}`)
  const command = set.length === 0 ? argv : ["/usr/bin/env", ...set, ...argv]
  return cwd === undefined ? command : ["/bin/sh", "-c", `cd "$0" && exec "$@"`, cwd, ...command]
}
