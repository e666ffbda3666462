/** What an OpenClaw automation (`cron.list` of 2026.9.6) becomes as a skill. What it has that a skill cannot have is said, or refused by name. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { showDuration } from "./durations.ts"
import { shown } from "./Errors.ts"
import { type ForeignJob, placedCommand, type SkillMade } from "./ForeignJob.ts"
import { looksSecret } from "./Redaction.ts"
import { iso } from "./Run.ts"
import type { SkillSettings } from "./SkillFile.ts"
import * as Wire from "./Wire.ts"

/** The zone is that of the gateway's host, for cron expressions that name none; `nowMs` says which single runs are over. */
export const readOpenClawJob = (given: unknown, { zone, nowMs }: { readonly zone: string; readonly nowMs: number }): ForeignJob => {
  const read = Wire.parse(Wire.CronJob, given)
  if (Result.isFailure(read)) {
    const { id, name, enabled } = (typeof given === "object" && given !== null ? given : {}) as Readonly<Record<string, unknown>>
    const job = { from: "openclaw", id: textOf(id), name: textOf(name), enabled: enabled !== false } as const
    return { ...job, made: Result.fail("its description is not one that this version reads") }
  }
  const job = read.success
  const onceAtMs = job.schedule.kind === "at" ? instantOf(job.schedule.at) : undefined
  return {
    from: "openclaw",
    id: job.id,
    name: job.name,
    enabled: job.enabled,
    ...(onceAtMs === undefined ? {} : { onceAtMs }),
    made: madeOf(job, zone, nowMs)
  }
}

const textOf = (value: unknown): string => (typeof value === "string" && value !== "" ? value : "?")

type Made<A> = Result.Result<A, string>

const madeOf = (job: Wire.CronJob, zone: string, nowMs: number): Made<SkillMade> => {
  if (/^(heartbeat|skill-collection-review):/.test(job.declarationKey ?? "")) return Result.fail("the gateway's own job: it stays there")
  const beyond = (["trigger", "pacing"] as const).find((key) => job[key] !== undefined)
  if (beyond !== undefined) return Result.fail(`it has ${beyond}, which only the gateway can judge`)
  return Result.gen(function* () {
    const when = yield* scheduleOf(job.schedule, zone, nowMs)
    const what = yield* workOf(job)
    const how = deliveryOf(job.delivery)
    return {
      settings: {
        schedule: when.schedule,
        ...what.settings,
        retry: { attempts: 1 },
        ...(when.schedule.at === undefined ? { onInterruption: "record" as const } : {}),
        report: { when: how.when }
      },
      ...(what.prompt === undefined ? {} : { prompt: what.prompt }),
      differs: [...when.differs, ...what.differs, ...how.differs]
    }
  })
}

type When = { readonly schedule: NonNullable<SkillSettings["schedule"]>; readonly differs: ReadonlyArray<string> }

const scheduleOf = (given: Wire.CronJob["schedule"], zone: string, nowMs: number): Made<When> => {
  switch (given.kind) {
    case "cron": {
      const { expr, tz, staggerMs = 0 } = given
      if (expr === undefined) break
      const differs = [
        ...(tz === undefined ? [`no zone is named there: ${zone} is this machine's`] : []),
        ...(staggerMs > 0 ? [`begins on its slot; there up to ${showDuration(staggerMs)} after it`] : [])
      ]
      return Result.succeed({ schedule: { cron: expr, timezone: tz ?? zone }, differs })
    }
    case "every": {
      const { everyMs, anchorMs = 0 } = given
      if (everyMs === undefined) break
      const anchor = new Date(anchorMs).toISOString()
      const differs = ["on a fixed grid; there each late run shifts the ones after it"]
      return Result.succeed({ schedule: { every: showDuration(everyMs), anchor }, differs })
    }
    case "at": {
      const atMs = instantOf(given.at)
      if (atMs === undefined) break
      if (atMs <= nowMs) return Result.fail(`its one run was due at ${iso(atMs)}, which is past`)
      return Result.succeed({ schedule: { at: new Date(atMs).toISOString() }, differs: [] })
    }
    case "on-exit":
    case "stream":
      return Result.fail(`a schedule of kind ${given.kind} has no instants: the gateway watches a program for it`)
  }
  return Result.fail(`a schedule that this version does not read: ${shown(given)}`)
}

/** Without a zone it means UTC there; the engine would take this machine's. */
const instantOf = (text = ""): number | undefined => {
  const atMs = Date.parse(/(?:[Zz]|T.*[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}${text.includes("T") ? "" : "T00:00"}Z`)
  return Number.isNaN(atMs) ? undefined : atMs
}

const known = new Set(["kind", "argv", "cwd", "env", "timeoutSeconds", "noOutputTimeoutSeconds", "outputMaxBytes"])

const workOf = ({ payload }: Wire.CronJob): Made<SkillMade> => {
  const differs: Array<string> = []
  switch (payload.kind) {
    case "command": {
      const read = Wire.parse(CommandPayload, payload)
      const strange = Object.keys(payload).find((key) => !known.has(key))
      if (strange !== undefined) return Result.fail(`its command has ${shown(strange)}, which a skill has not`)
      if (Result.isFailure(read)) return Result.fail("its command is not one that this version reads")
      const { argv, cwd, env = {}, timeoutSeconds, noOutputTimeoutSeconds } = read.success
      const secret = Object.entries(env).find(([name, value]) => looksSecret({ name, value }))
      if (secret !== undefined) return Result.fail(`its ${secret[0]} looks like a secret, which no skill file may hold: hand it on by env`)
      if (cwd !== undefined && !cwd.startsWith("/")) return Result.fail(`it starts in ${shown(cwd)}, which is no absolute path`)
      if (cwd === undefined) differs.push("starts in the skill's folder; there in the gateway's")
      return Result.succeed({
        settings: { run: placedCommand(argv, cwd, env), ...limits(timeoutSeconds, noOutputTimeoutSeconds) },
        differs
      })
    }
    case "agentTurn": {
      const { message, model, thinking, fallbacks, timeoutSeconds } = payload
      if (typeof message !== "string" || message.trim() === "") return Result.fail("its agent turn has no message")
      const set = Object.entries({ model, thinking, fallbacks }).flatMap(([key, value]) => (value === undefined ? [] : [key]))
      if (set.length > 0) differs.push(`its ${set.join(", ")}: the agent's command has its own`)
      differs.push("the agent's command of the config takes the turn, with its own tools and session")
      const timeout = typeof timeoutSeconds === "number" ? timeoutSeconds : undefined
      return Result.succeed({ settings: { prompt: true, ...limits(timeout, undefined) }, prompt: message, differs })
    }
    case "systemEvent":
      return Result.fail("it puts a text into a session, which only the gateway can")
    default:
      return Result.fail(`a payload of kind ${shown(payload.kind)} runs inside of the gateway alone`)
  }
}

const CommandPayload = Schema.Struct({
  argv: Schema.Array(Schema.String).check(Schema.isMinLength(1)),
  cwd: Schema.optionalKey(Schema.String),
  env: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  timeoutSeconds: Schema.optionalKey(Schema.Finite),
  noOutputTimeoutSeconds: Schema.optionalKey(Schema.Finite)
})

/** Both schedulers allow ten minutes where nothing is said; 0 is no limit there, and a skill's longest here. */
const limits = (timeoutSeconds: number | undefined, silenceSeconds: number | undefined): Pick<SkillSettings, "timeout" | "silence"> => ({
  ...(timeoutSeconds === undefined ? {} : { timeout: timeoutSeconds === 0 ? "366 days" : showDuration(timeoutSeconds * 1_000) }),
  ...(silenceSeconds === undefined || silenceSeconds === 0 ? {} : { silence: showDuration(silenceSeconds * 1_000) })
})

const deliveryOf = (given: Wire.CronJob["delivery"]) => {
  const mode = given?.mode ?? "none"
  if (mode === "none") return { when: "never" as const, differs: [] }
  const to = [given?.channel, given?.to].filter((part) => typeof part === "string").join(" ")
  return {
    when: "always" as const,
    differs: [`reported to the session that Holdfast reports to; there by ${shown(mode)}${to === "" ? "" : ` to ${shown(to)}`}`]
  }
}
