/** The jobs of the embedded gateway's scheduler: listed and switched as a real one does it, and never fired. */
import * as Result from "effect/Result"
import { next, parseCron, type Schedule } from "../domain/Schedule.ts"
import type { CronJob } from "../domain/Wire.ts"

/** As `cron.list` gives it; what we do not read travels along. */
export type Job = CronJob & { readonly state?: unknown }

/** A page in the order of what is due next, those that are not enabled last and only where they are asked for. */
export const listJobs = (
  all: ReadonlyArray<Job>,
  { includeDisabled = false, limit, offset = 0 }: { readonly includeDisabled?: boolean; readonly limit?: number; readonly offset?: number }
) => {
  const due = ({ nextRunAtMs = Infinity }: Job) => nextRunAtMs
  const jobs = all.filter(({ enabled }) => enabled || includeDisabled).toSorted((a, b) => (due(a) < due(b) ? -1 : 1))
  const page = jobs.slice(offset, limit === undefined ? undefined : offset + limit)
  const end = offset + page.length
  const hasMore = end < jobs.length
  return { jobs: page, total: jobs.length, offset, limit: limit ?? jobs.length, hasMore, nextOffset: hasMore ? end : null }
}

/** Switches a job. One that is enabled gets its next instant from now on, but for a single run, which keeps its own: past ones run at once. */
export const enableJob = ({ nextRunAtMs: _, state: __, ...job }: Job, enabled: boolean, nowMs: number): Job => {
  const atMs = enabled ? due(job, nowMs) : undefined
  return { ...job, enabled, state: { scheduleActivatedAtMs: nowMs }, ...(atMs === undefined ? {} : { nextRunAtMs: atMs }) }
}

const due = ({ schedule: { kind, expr, tz = "UTC", everyMs, anchorMs = 0, at } }: Job, nowMs: number): number | undefined => {
  if (kind === "at") return Date.parse(at ?? "")
  const schedule: Schedule | undefined =
    kind === "every" && everyMs !== undefined
      ? { _tag: "Every", everyMs, anchorMs }
      : expr === undefined
        ? undefined
        : Result.getOrUndefined(parseCron(expr, tz, "cron.update"))
  return schedule === undefined ? undefined : next(schedule, nowMs)
}
