/** `holdfast import openclaw --hand-back`: a job returns to the gateway's scheduler, without a slot that both would run. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Problem, Refused, shown } from "../domain/Errors.ts"
import { type ForeignJob, originOf } from "../domain/ForeignJob.ts"
import { iso } from "../domain/Run.ts"
import type { RuntimeConfig } from "../layers/Config.ts"
import { ask } from "../layers/ControlClient.ts"
import { enable } from "../layers/OpenClawJobs.ts"
import type { Session } from "../layers/Session.ts"
import { exit } from "./command.ts"
import { loadSkills } from "./loadSkills.ts"
import type { Out } from "./output.ts"
import { user } from "./place.ts"

export interface HandBack {
  readonly job: string
  readonly jobs: ReadonlyArray<ForeignJob>
  readonly session: Session["Service"]
  readonly state: string
  readonly config: RuntimeConfig
  readonly out: Out
}

/**
 * Our skill is paused first, on record; only then is the job enabled, and its next run has to lie ahead. The gateway computes it
 * anew for what recurs. A single run that is due it would run at once, though it was ours, so that one is never handed back.
 */
export const handBack = Effect.fn("handBack")(function* (asked: HandBack): Effect.fn.Return<number, Problem> {
  const { config, out, session, state } = asked
  const { skills } = yield* loadSkills(config, config.skillsFolders)
  const job = asked.jobs.find((one) => one.id === asked.job || one.name === asked.job || ofSkill(skills, one)?.name === asked.job)
  if (job === undefined)
    return yield* refused(
      "JOB_UNKNOWN",
      asked.job,
      "no job of that id or name",
      "a job of the gateway",
      "holdfast import openclaw lists them"
    )
  const skill = ofSkill(skills, job)
  if (skill === undefined) {
    return yield* refused(
      "JOB_NOT_IMPORTED",
      job.name,
      "no skill that was made of it",
      `a skill with importedFrom: ${originOf(job)}`,
      "run it from where its skills folder is in the config, or name that with --config"
    )
  }
  if ((job.onceAtMs ?? Infinity) <= (yield* Clock.currentTimeMillis)) {
    return yield* refused(
      "JOB_PAST",
      job.name,
      `a single run that was due at ${iso(job.onceAtMs!)}`,
      "a run that is yet to come",
      "leave it: enabled there, it would run at once"
    )
  }
  yield* ask(state, { id: 1, do: "skill.pause", skill: skill.name, by: user(), why: `handed back to ${originOf(job)}` })
  const pausedAtMs = yield* Clock.currentTimeMillis
  const { nextRunAtMs } = yield* Effect.tapError(enable(session, job.id, true), () =>
    Effect.sync(() => out.note(`${skill.name} stays paused: holdfast resume ${skill.name} once it is known that the job is disabled there`))
  )
  if (nextRunAtMs === undefined || nextRunAtMs <= pausedAtMs) {
    yield* enable(session, job.id, false)
    return yield* refused(
      "HAND_BACK_OVERDUE",
      job.name,
      nextRunAtMs === undefined ? "no next run there" : `a next run at ${iso(nextRunAtMs)}, which is past`,
      "one that is yet to come",
      `it is disabled there again; holdfast resume ${skill.name} keeps it here`
    )
  }
  if (out.json) out.value({ job: originOf(job), skill: skill.name, paused: true, enabled: true, next: iso(nextRunAtMs) })
  else out.line(`${skill.name} is paused here, and ${shown(job.name)} is enabled there: its next run is at ${iso(nextRunAtMs)}`)
  return exit.ok
})

const ofSkill = <S extends { readonly importedFrom?: string }>(skills: ReadonlyArray<S>, job: ForeignJob): S | undefined =>
  skills.find(({ importedFrom }) => importedFrom === originOf(job))

const refused = (code: string, where: string, got: string, want: string, fix: string) =>
  new Refused({ code, where: shown(where), got, want, fix })
