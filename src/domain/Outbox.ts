/** How a report looks on the wire, and how it is found again in a transcript. */
import { createHash } from "node:crypto"
import type { Entry } from "./Ledger.ts"
import type { RunId } from "./Run.ts"
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

/** What is sent for an entry. */
export const injection = ({ run, session, text }: Entry): InjectParams => ({
  sessionKey: session,
  message: text === "" ? run : text.length <= reportMax ? text : `${text.slice(0, reportMax - 1)}\u2026`,
  label: label(run)
})

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
