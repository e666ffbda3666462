/** What `holdfast doctor` looks at: each check with what it found and, unless that is well, what to do. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { showDuration } from "../domain/durations.ts"
import { type Double, doubles } from "../domain/Doubles.ts"
import { shown } from "../domain/Errors.ts"
import { type ForeignJob, originOf } from "../domain/ForeignJob.ts"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"
import { iso } from "../domain/Run.ts"
import { Disk } from "../layers/Disk.ts"
import { listed, stored } from "../layers/OpenClawJobs.ts"
import { readState } from "../layers/StateStore.ts"
import { type LoadedSkills, HostZone } from "../layers/Skills.ts"
import { verify } from "../layers/Verify.ts"
import { driftMs, youngestMs } from "../layers/WallClock.ts"
import { invocation } from "./invocation.ts"
import { userCrontab } from "./crontab.ts"
import { hermesFile, hermesJobs } from "./hermes.ts"
import { openClawState, refusedUs, understood, type Visited } from "./openClaw.ts"
import { standing } from "./standing.ts"
import { readable } from "./readable.ts"

export interface Check {
  readonly name: string
  readonly health: "ok" | "warn" | "fail"
  readonly says: string
  readonly fix?: string
}

const ok = (name: string, says: string): Check => ({ name, health: "ok", says })
const warn = (name: string, says: string, fix: string): Check => ({ name, health: "warn", says, fix })
const fail = (name: string, says: string, fix: string): Check => ({ name, health: "fail", says, fix })

/** Whether a runtime is at work, by the files it keeps. */
export const runtime = Effect.fnUntraced(function* (state: string): Effect.fn.Return<Check> {
  if (!existsSync(state))
    return fail(
      "runtime",
      `${shown(state)} is not there: no runtime has ever been`,
      `start one with ${invocation()} up, or name its directory with --state`
    )
  const { health, why, mode } = yield* standing(state, yield* Clock.currentTimeMillis)
  const fix = `${invocation()} status says more`
  if (health === "ok") return ok("runtime", `${mode}`)
  return health === "critical" ? fail("runtime", why.join("; "), fix) : warn("runtime", why.join("; "), fix)
})

/** Whether the state directory is whole, and the clock not behind it. */
export const stateAndClock = Effect.fnUntraced(function* (state: string): Effect.fn.Return<ReadonlyArray<Check>> {
  const nowMs = yield* Clock.currentTimeMillis
  if (nowMs < youngestMs) return [fail("clock", `it shows ${iso(nowMs)}`, "set it: nothing is done until then")]
  const found = yield* Effect.result(readable(state, verify(state)).pipe(Effect.provide(Disk.layerNode)))
  if (Result.isFailure(found)) {
    const { code, got } = found.failure
    return [ok("clock", "plausible"), fail("state", `${code}: ${got}`, `${invocation()} state verify says what, state repair mends it`)]
  }
  const { records, segments, durableAtMs = 0 } = found.success
  const behindMs = durableAtMs - nowMs
  return [
    behindMs > driftMs
      ? fail("clock", `it is ${showDuration(behindMs)} behind what is on record`, "set it: slots wait until it has caught up")
      : ok("clock", "not behind what is on record"),
    ok("state", `whole: ${records} records in ${segments} segments`)
  ]
})

export const skillFiles = ({ skills, problems }: LoadedSkills): Check => {
  const [first] = problems
  return first === undefined
    ? ok("skills", `${skills.length} can be used`)
    : warn("skills", `${problems.length} problems, the first: ${first.code} at ${shown(first.where)}`, first.fix)
}

/** Whether the gateway answers and takes the token. One that is down is no failure: skills go on. */
export const gateway = (visited: Visited | undefined, url: GatewayUrl | undefined): Check => {
  if (visited === undefined || url === undefined) return ok("gateway", "none is configured")
  if (Result.isSuccess(visited)) return ok("gateway", `${url.ws} answers and takes the token`)
  const { got, fix } = refusedUs(visited.failure, url)
  return ["unauthorized", "wrongProtocol", "notAGateway"].includes(visited.failure.reason)
    ? fail("gateway", `${url.ws} ${got}`, fix)
    : warn("gateway", `${url.ws} ${got}`, "start it: until then skills go on and results wait")
}

/** Jobs of other schedulers that do what our skills do, and those that nobody does any more. */
export const schedulers = Effect.fnUntraced(function* (
  { skills }: LoadedSkills,
  state: string,
  visited: Visited | undefined,
  stateDirectory: string | undefined
): Effect.fn.Return<ReadonlyArray<Check>, never, Scope.Scope> {
  const known = yield* Effect.result(openClaw(visited, stateDirectory))
  const here = yield* Effect.result(jobsHere)
  const unread = [known, here].flatMap((one) =>
    Result.isFailure(one) ? [warn("schedulers", `${one.failure.code} at ${one.failure.where}: ${one.failure.got}`, one.failure.fix)] : []
  )
  const jobs = [known, here].flatMap((one) => (Result.isSuccess(one) ? one.success : []))
  const paused = yield* pausedIn(state)
  const found = doubles(skills, paused, jobs, (yield* HostZone)())
  return found.length + unread.length === 0
    ? [ok("schedulers", `${jobs.length} jobs of others, none of them run here as well`)]
    : [...unread, ...found.map(ofDouble)]
})

const openClaw = Effect.fnUntraced(function* (visited: Visited | undefined, stateDirectory: string | undefined) {
  if (visited !== undefined && Result.isSuccess(visited)) return yield* understood(yield* listed(visited.success))
  const directory = stateDirectory ?? openClawState()
  const there = stateDirectory !== undefined || existsSync(join(directory, "state", "openclaw.sqlite"))
  return there ? yield* understood(yield* stored(directory)) : []
})

/** Of the schedulers that keep their jobs in files of this user. */
const jobsHere = Effect.gen(function* () {
  const file = hermesFile()
  return [...(yield* userCrontab), ...(existsSync(file) ? yield* hermesJobs(file) : [])]
})

const pausedIn = Effect.fnUntraced(function* (state: string) {
  const found = yield* Effect.result(Effect.provide(readState(state), Disk.layerNode))
  if (Result.isFailure(found)) return new Set<string>() // The check of the state says so.
  return new Set([...found.success.ledger.skills.values()].flatMap(({ name, paused }) => (paused === undefined ? [] : [name])))
})

const ofDouble = ({ skill, job, by }: Double): Check => {
  const there = `${originOf(job)} (${shown(job.name)})`
  switch (by) {
    case "importedFrom":
    case "work": {
      const why = by === "work" ? "does the same at the same times" : "was made of it"
      return fail(
        "schedulers",
        `${there} is enabled, and ${skill}, which ${why}, is scheduled here: every slot runs twice`,
        ending(job, skill)
      )
    }
    case "name":
      return warn("schedulers", `${there} is enabled, and ${skill} has its name: they may be the same`, ending(job, skill))
    case "none":
      return warn(
        "schedulers",
        `${there} is disabled, and ${skill}, which was made of it, has no schedule: neither runs it`,
        `give ${skill} its schedule in its SKILL.md, or enable the job there`
      )
  }
}

const ending = ({ from, id }: ForeignJob, skill: string): string =>
  `${from === "openclaw" ? `openclaw cron disable ${id}` : `take it out of ${from}`}, or ${invocation()} pause ${skill}`
