/** The jobs of an OpenClaw gateway: asked of it while it is up, and read from its file while it is not. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Refused, shown, StateUnusable } from "../domain/Errors.ts"
import * as Wire from "../domain/Wire.ts"
import type { CallFailed, Session } from "./Session.ts"

/** All of them, as the gateway gives them, the switched off ones too. */
export const listed = Effect.fn("OpenClawJobs.listed")(function* (
  session: Session["Service"]
): Effect.fn.Return<ReadonlyArray<unknown>, Refused> {
  const jobs: Array<unknown> = []
  for (let offset: number | null = 0; offset !== null;) {
    const answer: unknown = yield* Effect.mapError(session.call("cron.list", { includeDisabled: true, limit: pageMax, offset }), refusal)
    const page = Wire.parse(Wire.CronList, answer)
    if (Result.isFailure(page)) return yield* unlike("cron.list")
    jobs.push(...page.success.jobs)
    const after: number | null = page.success.nextOffset ?? null
    offset = after !== null && after > offset && page.success.jobs.length > 0 ? after : null
  }
  return jobs
})
/** A message may have 100 kB, and a frame ends at 1 MiB. */
const pageMax = 8

/** Switches one, and gives the job as it is from then on. Where the answer got lost, the list is asked: it alone says what was done. */
export const enable = Effect.fn("OpenClawJobs.enable")(function* (
  session: Session["Service"],
  id: string,
  enabled: boolean
): Effect.fn.Return<Wire.CronJob, Refused> {
  const answered = yield* Effect.result(session.call("cron.update", { id, patch: { enabled } }))
  if (Result.isFailure(answered) && answered.failure.reason === "refused") return yield* refusal(answered.failure)
  const given = Result.isSuccess(answered) ? answered.success : (yield* listed(session)).find((job) => (job as { id?: unknown }).id === id)
  const job = Wire.parse(Wire.CronJob, given)
  if (Result.isFailure(job) || job.success.enabled !== enabled) return yield* unlike("cron.update")
  return job.success
})

/** Where the gateway keeps them below its state directory. */
const storeIn = (stateDirectory: string): string => join(stateDirectory, "state", "openclaw.sqlite")

/** All of them from the file, in the gateway's order. It is opened for reading alone, and may be read beside a gateway. */
export const stored = Effect.fn("OpenClawJobs.stored")(function* (
  stateDirectory: string
): Effect.fn.Return<ReadonlyArray<unknown>, StateUnusable> {
  const file = storeIn(stateDirectory)
  if (!existsSync(file)) return yield* unusable(file, "no such file", "name the gateway's state directory with --state-dir")
  const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
  const rows = yield* Effect.try({
    try: () => {
      const store = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
      try {
        return store.prepare("SELECT enabled, job_json, state_json FROM cron_jobs ORDER BY sort_order, updated_at, job_id").all()
      } finally {
        store.close()
      }
    },
    catch: (error) => unusable(file, shown(String(error)), "start the gateway and name it with --gateway: it reads its own file")
  })
  return yield* Effect.try({
    try: () =>
      rows.map(({ enabled, job_json, state_json }) => ({
        ...JSON.parse(String(job_json)),
        enabled: enabled === 1,
        ...nextRun(JSON.parse(String(state_json)))
      })),
    catch: () => unusable(file, "a row that is not JSON", "start the gateway and name it with --gateway: it reads its own file")
  })
})

const nextRun = ({ nextRunAtMs }: { readonly nextRunAtMs?: unknown }) => (typeof nextRunAtMs === "number" ? { nextRunAtMs } : {})

const unusable = (where: string, got: string, fix: string) =>
  new StateUnusable({ code: "OPENCLAW_STORE", where: shown(where), got, want: "the store of an OpenClaw gateway of 2026.9", fix })

const refusal = ({ method, reason, code, detail }: CallFailed) =>
  new Refused({
    code: "GATEWAY_REFUSED",
    where: method,
    got: [reason, code, detail].filter((part) => part !== undefined).join(" "),
    want: "an answer",
    fix: "see whether the gateway is well, and ask again"
  })

const unlike = (method: string) =>
  new Refused({
    code: "GATEWAY_ANSWER",
    where: method,
    got: "an answer of another shape, or another state of the job than was asked for",
    want: "what OpenClaw 2026.9 says",
    fix: "look at the job with `openclaw cron list --all`"
  })
