/** The cron jobs of Hermes Agent on this machine. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { homedir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type { Refused } from "../domain/Errors.ts"
import type { ForeignJob } from "../domain/ForeignJob.ts"
import { readHermesJobs } from "../domain/HermesJob.ts"
import { readJson } from "../domain/json.ts"
import { HostZone } from "../layers/Skills.ts"
import { anotherFile, textIn } from "./textIn.ts"

/** Where Hermes Agent keeps the jobs of its default profile. */
export const hermesFile = (): string => join(process.env["HERMES_HOME"] || join(homedir(), ".hermes"), "cron", "jobs.json")

/** Of this file; its scripts are in the folder beside. */
export const hermesJobs = Effect.fnUntraced(function* (file: string): Effect.fn.Return<ReadonlyArray<ForeignJob>, Refused> {
  const json = readJson(yield* textIn(file))
  const scripts = join(dirname(dirname(resolve(file))), "scripts")
  const place = { zone: (yield* HostZone)(), nowMs: yield* Clock.currentTimeMillis, scripts }
  const jobs = Result.isFailure(json) ? undefined : readHermesJobs(json.success, place)
  return jobs ?? (yield* anotherFile("HERMES_JOBS", file, "something else", `the cron/jobs.json of Hermes Agent: { "jobs": [...] }`))
})
