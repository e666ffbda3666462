/**
 * What a cron job of Hermes Agent becomes as a skill. Its `cron/jobs.json` names no version; it was read as the program of 2026 writes it:
 * `{ "jobs": [...] }`, schedules of kind `cron`, `interval` and `once`. Whatever else is set that a skill cannot have is refused by name.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { showDuration } from "./durations.ts"
import { shown } from "./Errors.ts"
import { type ForeignJob, placedCommand, type SkillMade } from "./ForeignJob.ts"
import { iso } from "./Run.ts"
import type { SkillSettings } from "./SkillFile.ts"

export interface HermesPlace {
  /** Of the machine: Hermes names none. */
  readonly zone: string
  readonly nowMs: number
  /** Where it keeps its scripts. */
  readonly scripts: string
}

/** All jobs of a file's JSON; nothing where it is another file. */
export const readHermesJobs = (file: unknown, place: HermesPlace): ReadonlyArray<ForeignJob> | undefined => {
  const jobs = Array.isArray(file) ? file : (file as { readonly jobs?: unknown } | null)?.jobs
  if (!Array.isArray(jobs)) return undefined
  return jobs.map((given: unknown, i): ForeignJob => {
    const read = Schema.decodeUnknownResult(Job)(given)
    if (Result.isFailure(read))
      return { from: "hermes", id: String(i), name: `job ${i}`, enabled: true, made: Result.fail("it is not one that this version reads") }
    const job = read.success
    const enabled = job.enabled !== false && job.state !== "paused" && job.state !== "completed"
    return { from: "hermes", id: job.id, name: job.name ?? job.id, enabled, made: madeOf(job, place) }
  })
}

const maybe = Schema.optionalKey
const textOrNull = maybe(Schema.NullOr(Schema.String))
const Job = Schema.Struct({
  id: Schema.NonEmptyString,
  name: maybe(Schema.NonEmptyString),
  prompt: textOrNull,
  schedule: Schema.Struct({ kind: Schema.String, expr: maybe(Schema.String), minutes: maybe(Schema.Finite), run_at: maybe(Schema.String) }),
  enabled: maybe(Schema.Boolean),
  state: textOrNull,
  deliver: maybe(Schema.Unknown),
  script: textOrNull,
  no_agent: maybe(Schema.NullOr(Schema.Boolean)),
  workdir: textOrNull,
  repeat: maybe(Schema.NullOr(Schema.Struct({ times: maybe(Schema.NullOr(Schema.Finite)) }))),
  skills: maybe(Schema.NullOr(Schema.Array(Schema.String))),
  context_from: maybe(Schema.Unknown),
  model: textOrNull
})
type Job = typeof Job.Type

const madeOf = (job: Job, place: HermesPlace): Result.Result<SkillMade, string> =>
  Result.gen(function* () {
    if ((job.repeat?.times ?? null) !== null && job.schedule.kind !== "once")
      return yield* Result.fail(`it ends after ${job.repeat!.times} runs, and no skill does`)
    if (job.context_from !== undefined && job.context_from !== null)
      return yield* Result.fail("it reads what another job has said (context_from)")
    const schedule = yield* scheduleOf(job.schedule, place)
    const { settings, prompt } = yield* workOf(job, place)
    const differs = [
      ...(schedule.cron === undefined ? [] : [`${place.zone} is this machine's zone; Hermes may have another in its config`]),
      ...(schedule.every === undefined ? [] : ["on a fixed grid; there each run shifts the next"]),
      ...(job.deliver === undefined || job.deliver === null || job.deliver === "local"
        ? []
        : [`reported to the session that Holdfast reports to; there to ${shown(job.deliver)}`]),
      ...(prompt === undefined ? [] : ["the agent's command of the config takes the turn, with its own tools and session"]),
      ...((job.model ?? "") === "" ? [] : [`its model ${shown(job.model)}: the agent's command has its own`])
    ]
    const once = schedule.at !== undefined
    return {
      settings: { schedule, ...settings, retry: { attempts: 1 }, ...(once ? {} : { onInterruption: "record" as const }) },
      ...(prompt === undefined ? {} : { prompt }),
      differs
    }
  })

const scheduleOf = (
  { kind, expr, minutes, run_at }: Job["schedule"],
  { zone, nowMs }: HermesPlace
): Result.Result<NonNullable<SkillSettings["schedule"]>, string> => {
  if (kind === "cron" && expr !== undefined) return Result.succeed({ cron: expr, timezone: zone })
  if (kind === "interval" && minutes !== undefined) return Result.succeed({ every: showDuration(minutes * 60_000) })
  const atMs = kind === "once" && /(?:Z|[+-]\d\d:\d\d)$/.test(run_at ?? "") ? Date.parse(run_at!) : Number.NaN
  if (Number.isNaN(atMs)) return Result.fail(`a schedule that this version does not read: ${shown({ kind, expr, minutes, run_at })}`)
  return atMs > nowMs
    ? Result.succeed({ at: new Date(atMs).toISOString() })
    : Result.fail(`its one run was due at ${iso(atMs)}, which is past`)
}

const workOf = (
  { no_agent, script, workdir, prompt, skills }: Job,
  { scripts }: HermesPlace
): Result.Result<Pick<SkillMade, "settings" | "prompt">, string> => {
  const folder = (workdir ?? "") === "" ? undefined : workdir!
  if (no_agent === true) {
    if ((script ?? "") === "") return Result.fail("no agent is to run it, and it has no script")
    const file = script!.startsWith("/") ? script! : `${scripts}/${script!}`
    const program = /\.(?:sh|bash)$/.test(file) ? "/bin/bash" : "python3"
    return Result.succeed({ settings: { run: placedCommand([program, file], folder ?? scripts, {}) } })
  }
  if ((script ?? "") !== "") return Result.fail("its prompt begins with what a script prints: make the script a step of the skill")
  if ((skills ?? []).length > 0) return Result.fail(`its prompt loads skills of Hermes: ${skills!.map(shown).join(", ")}`)
  if (folder !== undefined) return Result.fail("its agent starts in a workdir, and ours in the skill's folder")
  return (prompt ?? "").trim() === ""
    ? Result.fail("it has neither a prompt nor a script")
    : Result.succeed({ settings: { prompt: true }, prompt: prompt! })
}
