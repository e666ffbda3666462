/** How a report looks on the wire, and how it is found again in a transcript. */
import { createHash } from "node:crypto"
import type { Entry } from "./Ledger.ts"
import type { RunId } from "./Run.ts"
import type { ReportWay } from "./Skill.ts"
import { type InjectParams, labelMax, type Message, textOf } from "./Wire.ts"

/** The session that results are reported to unless the config names another. */
export const sessionDefault = "agent:main:main"

/** The longest text of a report, in characters. Longer ones are cut: the whole is in the run's record. */
export const reportMax = 16_384

/** The mark by which a row is known to be the report of this run, for people and for the outbox. At most 100 characters. */
export const label = (run: RunId): string => withinMax(run, `${prefix}${run}`)

/** The mark of a row that a skill has injected itself: no report's, and the same in every attempt of the run. */
export const skillLabel = (run: RunId, name: string): string => withinMax(`${run} ${name}`, `${prefix}${run} ${name}`)

const withinMax = (named: string, whole: string): string => {
  if (whole.length <= labelMax) return whole
  const digest = createHash("sha256").update(named).digest("hex").slice(0, 16)
  return `${whole.slice(0, labelMax - digest.length - 1)}.${digest}`
}

/** What is sent for an entry that becomes a row. */
export const injection = (entry: Entry): InjectParams => ({ sessionKey: entry.session, message: message(entry), label: label(entry.run) })

/** What is sent for an entry that becomes a line for the next heartbeat. `now` would start a turn of a model, which costs. */
export const wakeText = (entry: Entry): string => `[${label(entry.run)}]\n\n${message(entry)}`

const message = ({ run, text }: Entry): string =>
  text === "" ? run : text.length <= reportMax ? text : `${text.slice(0, reportMax - 1)}\u2026`

/** The scope that a way needs of the session; `hooks` goes by HTTP. */
export const scopeOf = (via: Entry["via"]): string | undefined =>
  via === undefined ? "operator.admin" : via === "wake" ? "operator.write" : undefined

/** The least scopes that serve these ways. The conversation is read in any case. */
export const scopesFor = (ways: Iterable<ReportWay>): ReadonlyArray<string> => {
  const asked = new Set(ways)
  return [
    "operator.read",
    ...(asked.has("inject") || asked.has("wake") ? ["operator.write"] : []),
    ...(asked.has("inject") ? ["operator.admin"] : [])
  ]
}

/** Whether a row is the report of this run. */
export const isReportOf = (run: RunId, message: Message): boolean => hasLabel(label(run), message)

/** Whether a row was injected with this label. The gateway writes it in brackets before the text. */
export const hasLabel = (mark: string, message: Message): boolean => message.role === "assistant" && textOf(message).startsWith(`[${mark}]`)

/** When a row was written, if it says so: milliseconds since the Unix epoch. */
export const writtenAtMs = ({ timestamp }: Message): number | undefined => {
  const atMs = typeof timestamp === "string" ? Date.parse(timestamp) : timestamp
  return atMs === undefined || Number.isNaN(atMs) ? undefined : atMs
}

const prefix = "holdfast run="
