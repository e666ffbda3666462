/** A schedule in a few words. */
import { showDuration } from "../domain/durations.ts"
import { iso } from "../domain/Run.ts"
import type { Schedule } from "../domain/Schedule.ts"
import { clockTime } from "../domain/Timing.ts"

/** `cron 0 6 * * * (Asia/Tokyo)`, `every 20 seconds`, `once at ...`. */
export const scheduleText = (schedule: Schedule | undefined): string => {
  switch (schedule?._tag) {
    case undefined:
      return "none: only when triggered"
    case "Cron":
      return `cron ${schedule.expression} (${schedule.zone})`
    case "Every":
      return `every ${showDuration(schedule.everyMs)}`
    case "At":
      return `once at ${iso(schedule.atMs)}`
    case "After":
      return `after ${schedule.skill} ${{ success: "succeeded", failure: "failed", end: "ended" }[schedule.on]}`
    case "Paced":
      return (
        `${schedule.times} times a day from ${clockTime(schedule.fromMinute)} to ${clockTime(schedule.toMinute)} (${schedule.zone})` +
        (schedule.apartMs === 0 ? "" : `, ${showDuration(schedule.apartMs)} apart`)
      )
  }
}
