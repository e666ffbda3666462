/** What the commands of `holdfast import` share: which jobs are meant, what would become of each, and writing it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { existsSync, readFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { DiskError, type Problem, Refused, shown } from "../domain/Errors.ts"
import { type ForeignJob, originOf, skillFile, type SkillMade, skillNames } from "../domain/ForeignJob.ts"
import { iso } from "../domain/Run.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { Disk } from "../layers/Disk.ts"
import { judged, put, rewrite, type Rules } from "../layers/NewSkills.ts"
import type { RuntimeConfig } from "../layers/Config.ts"
import { Skills } from "../layers/Skills.ts"
import { exit } from "./command.ts"
import type { Out } from "./output.ts"
import { scheduleText } from "./scheduleText.ts"
import { nextSlots, workText } from "./skillsCheck.ts"
import { UsageInvalid } from "./usage.ts"

export const importFlags = {
  to: { type: "text", value: "SKILLS_FOLDER", about: "where skills are written (default: the config's first folder)" },
  write: { type: "switch", about: "write the skills; without it nothing is changed anywhere" },
  config: { type: "text", value: "FILE", about: "the config file (default: holdfast.config.json here, if there is one)" }
} as const

/** For schedulers that we cannot switch. */
export const endedFlag = {
  ended: { type: "switch", about: "you have ended these jobs there: the skills get their schedules" }
} as const

export interface Importing {
  readonly jobs: ReadonlyArray<ForeignJob>
  /** By id, by their name there or by their skill's; with none, all that are enabled. */
  readonly wanted: ReadonlyArray<string>
  readonly to: string | undefined
  readonly write: boolean
  readonly config: RuntimeConfig
  readonly out: Out
  /** Ends the job there; from then on its skill may have the schedule. Without it that is for a person to do. */
  readonly end?: (job: ForeignJob) => Effect.Effect<void, Problem>
  /** Somebody says that the jobs have been ended there. */
  readonly ended?: boolean
}

/** A job and what becomes of it. */
interface Row {
  readonly job: ForeignJob
  readonly name: string
  /** The skill as the loader has it, and what it is made of; or why there is none. */
  readonly read: Result.Result<{ readonly made: SkillMade; readonly skill: SkillDefinition }, string>
}

export const importJobs = Effect.fn("import")(
  function* (asked: Importing): Effect.fn.Return<number, Problem, Disk | Skills> {
    const { config, jobs, out, wanted, write } = asked
    const folder = asked.to === undefined ? config.skillsFolders[0] : resolve(asked.to)
    if (write && folder === undefined) return yield* Effect.fail(nowhere)
    const rules: Rules = {
      overrides: config.overrides,
      options: { zone: config.zone, report: config.report, env: config.env, agent: config.agent }
    }
    const rows = yield* Effect.mapError(rowsOf(jobs, wanted, folder, rules, asked.end !== undefined || asked.ended === true), whole)
    const nowMs = yield* Clock.currentTimeMillis
    let failures = 0
    for (const row of rows) {
      if (Result.isFailure(row.read) || !write) {
        say(row, asked, nowMs, undefined)
        continue
      }
      const { made } = row.read.success
      const done = yield* Effect.result(Effect.mapError(bring(row, made, folder!, rules, asked), whole))
      if (Result.isFailure(done)) failures += 1
      say(row, asked, nowMs, done)
    }
    const missing = wanted.filter((word) => !rows.some((row) => isMeant(row, [word])))
    for (const word of missing) out.note(`no job is called ${shown(word)}`)
    if (!out.json) sum(rows, asked)
    return failures > 0 || missing.length > 0 ? exit.failed : exit.ok
  },
  Effect.provide(Layer.mergeAll(Disk.layerNode, Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))))
)

/**
 * First the skill without its schedule, then the end of the job there, then the schedule. Wherever this is cut short, the slots
 * have at most one scheduler, and the skill's marker lets `doctor` find where they have none.
 */
const bring = Effect.fnUntraced(function* (row: Row, made: SkillMade, folder: string, rules: Rules, { end, ended }: Importing) {
  const { job, name } = row
  const text = (scheduled: boolean) => skillFile(job, name, made, scheduled)
  const free = !job.enabled || ended === true
  const draft = isDraft(join(folder, name), job, made)
  if (!draft) yield* put(folder, { name, text: text(free) }, rules)
  if (free && !draft) return "scheduled" as const
  if (!free && end === undefined) return "byHand" as const
  if (!free) yield* end!(job)
  yield* rewrite(folder, { name, text: text(false) }, text(true))
  return free ? ("scheduled" as const) : ("takenOver" as const)
})
type Brought = Effect.Success<ReturnType<typeof bring>>

const rowsOf = Effect.fnUntraced(function* (
  jobs: ReadonlyArray<ForeignJob>,
  wanted: ReadonlyArray<string>,
  folder: string | undefined,
  rules: Rules,
  mayEnd: boolean
) {
  const names = skillNames(jobs)
  const meant = jobs.map((job) => ({ job, name: names.get(job)! })).filter((row) => wanted.length === 0 || isMeant(row, wanted))
  const texts = meant.flatMap(({ job, name }) =>
    Result.isSuccess(job.made) ? [{ name, text: skillFile(job, name, job.made.success, true) }] : []
  )
  const verdicts = yield* judged(texts, rules)
  return meant.map(({ job, name }): Row => {
    const refuse = (why: string): Row => ({ job, name, read: Result.fail(why) })
    if (Result.isFailure(job.made)) return refuse(job.made.failure)
    const verdict = verdicts.get(name)
    if (verdict === undefined) return refuse("the loader does not find it")
    if ("code" in verdict) return refuse(`${verdict.code}: got ${verdict.got}, want ${verdict.want}; ${verdict.fix}`)
    if (!job.enabled && wanted.length === 0) return refuse("disabled there: name it to import it all the same")
    const place = folder === undefined ? undefined : join(folder, name)
    if (place !== undefined && existsSync(place) && !((mayEnd || !job.enabled) && isDraft(place, job, job.made.success)))
      return refuse(`${shown(place)} is there already`)
    return { job, name, read: Result.succeed({ made: job.made.success, skill: verdict }) }
  })
})

/** Whether what is there is what an import without its schedule has left, and nobody has touched. */
const isDraft = (place: string, job: ForeignJob, made: SkillMade): boolean => {
  const file = join(place, "SKILL.md")
  return existsSync(file) && readFileSync(file, "utf8") === skillFile(job, basename(place), made, false)
}

const isMeant = ({ job, name }: Pick<Row, "job" | "name">, wanted: ReadonlyArray<string>): boolean =>
  wanted.some((word) => word === job.id || word === job.name || word === name)

/** What would have become of it, and what has where it was written. */
const say = (
  { job, name, read }: Row,
  { out, end, ended }: Importing,
  nowMs: number,
  done: Result.Result<Brought, Problem> | undefined
) => {
  const { paint } = out
  const failure = done !== undefined && Result.isFailure(done) ? done.failure : undefined
  const brought = done === undefined ? undefined : Result.getOrUndefined(done)
  if (Result.isFailure(read)) {
    if (out.json) out.value({ job: originOf(job), called: job.name, enabled: job.enabled, skill: null, why: read.failure })
    else out.line(`${paint.dim("--")}  ${shown(job.name)}  ${paint.dim(originOf(job))}\n    ${shownWhole(read.failure)}`)
    return
  }
  const { skill, made } = read.success
  const schedule = scheduleText(skill.schedule)
  const next = skill.schedule === undefined ? [] : nextSlots(skill.schedule, nowMs).map(iso)
  const would = !job.enabled || ended === true ? "scheduled" : end === undefined ? "byHand" : "takenOver"
  if (out.json) {
    const facts = { schedule, next, work: workText(skill), report: skill.report.when, differs: made.differs, becomes: brought ?? would }
    const written = {
      written: done !== undefined && failure === undefined,
      ...(failure === undefined ? {} : { problem: problemOf(failure) })
    }
    out.value({ job: originOf(job), called: job.name, enabled: job.enabled, skill: name, ...facts, ...written })
    return
  }
  out.line(
    `${failure === undefined ? paint.green("ok") : paint.red("!!")}  ${paint.bold(name)}  ${paint.dim(`${originOf(job)} ${shown(job.name)}`)}`
  )
  out.line(`    schedule  ${schedule}`)
  if (next.length > 0) out.line(`    next      ${next.join("  ")}`)
  out.line(`    work      ${workText(skill)}`)
  out.line(`    report    ${skill.report.when}`)
  for (const what of made.differs) out.line(`    differs   ${what}`)
  if (failure === undefined) out.line(`    ${done === undefined ? "would be" : "is now  "}  ${becomes[brought ?? would]}`)
  else out.line(paint.red(`    ${failure.code}: got ${failure.got}; ${failure.fix}`))
}

const becomes: Readonly<Record<Brought, string>> = {
  scheduled: "scheduled here: the job is disabled there",
  byHand: "without its schedule until the job is disabled there: it runs by hand alone",
  takenOver: "scheduled here, with the job disabled there before"
}

const sum = (rows: ReadonlyArray<Row>, { out, write, jobs }: Importing): void => {
  const good = rows.filter(({ read }) => Result.isSuccess(read)).length
  out.line(`${jobs.length} jobs: ${good} become skills, ${rows.length - good} do not`)
  if (!write && good > 0) out.line(out.paint.dim("nothing was changed; --write writes them"))
  if (write && good > 0) out.line(out.paint.dim("a runtime at work takes them over by holdfast reload"))
}

const shownWhole = (text: string): string => text.replace(/[\n\r]/g, " ")
const problemOf = ({ code, where, got, want, fix }: Problem) => ({ code, where, got, want, fix })

/** A disk's own error as one with the five answers. */
const whole = <E extends Problem>(error: E | DiskError): E | Refused =>
  error instanceof DiskError
    ? new Refused({
        code: "DISK_REFUSED",
        where: shown(error.path),
        got: error.code,
        want: `to ${error.operation} it`,
        fix: "correct the folder's permissions, or make room"
      })
    : error

const nowhere = new UsageInvalid({
  code: "FLAG_MISSING",
  where: "holdfast import --write",
  got: "no folder, and none in a config",
  want: "--to SKILLS_FOLDER",
  fix: "name the folder that is to hold the skills"
})
