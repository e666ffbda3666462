/** What the session is told of a settled run: one line that a person understands, then what the skill itself says. */
import type { Outcome } from "./Outcome.ts"
import { iso, parseRunId } from "./Run.ts"
import type { Fields } from "./SkillContext.ts"

/** The longest report that a session is told, in characters. */
export const reportMax = 4_000

/** The file in the run's folder that has the whole of a report that was cut. */
export const wholeReport = (run: string): string => `runs/${run}/report.txt`

/** What is sent of a report: the whole, or its beginning and where the rest is. */
export const cutReport = (run: string, text: string): string => {
  if (text.length <= reportMax) return text
  const note = `\n(cut: the whole is in ${wholeReport(run)})`
  return text.slice(0, reportMax - note.length).replace(/[\ud800-\udbff]$/, "") + note // Never half of a character.
}

/** All that there is to tell. */
export const reportText = (
  run: {
    readonly run: string
    readonly outcome: Outcome
    readonly reason: string
    readonly startedAtMs: number | null
    readonly durationMs: number
    readonly fields: Fields
  },
  summary: string | undefined
): string => {
  const { skill, slotAtMs } = parseRunId(run.run) ?? { skill: run.run, slotAtMs: 0 }
  const lateMs = run.startedAtMs === null ? 0 : Math.max(0, run.startedAtMs - slotAtMs)
  const late = lateMs >= 1_000 ? `, ${seconds(lateMs)} late` : ""
  const first = `${skill}: ${run.outcome} for ${iso(slotAtMs)} in ${seconds(run.durationMs)}${late}`
  const fields = Object.entries(run.fields)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ")
  return [first, run.reason, fields, summary ?? ""].filter((line) => line !== "").join("\n")
}

const seconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`)
