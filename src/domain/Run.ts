/** The identity of a run: which skill, which slot, and how it came about. */

/** `daily-memory@20261122T060000Z`: made of `[a-z0-9@+.TZ-]` only, so it serves as a file name and as a label. */
export type RunId = string

/** What a run id says. `slotAtMs` is in milliseconds since the Unix epoch; `manual` is the key of a run asked for by hand. */
export interface RunIdentity {
  readonly skill: string
  readonly slotAtMs: number
  readonly manual?: string
}

/** The id of the run that a slot owes. Claiming a slot again after a crash names the same run. */
export const runId = ({ skill, slotAtMs, manual }: RunIdentity): RunId =>
  `${skill}@${compact(slotAtMs)}${manual === undefined ? "" : `+manual-${manual}`}`

/** Reads a run id back; `undefined` when the text is not one. */
export const parseRunId = (id: string): RunIdentity | undefined => {
  const found = pattern.exec(id)
  if (found === null) return undefined
  const [, skill, y, mo, d, h, mi, s, ms, manual] = found
  const slotAtMs = Date.UTC(+y!, +mo! - 1, +d!, +h!, +mi!, +s!, ms === undefined ? 0 : +ms)
  const identity = { skill: skill!, slotAtMs, ...(manual === undefined ? {} : { manual }) }
  return runId(identity) === id ? identity : undefined // Refuses the 31st of February.
}

/** Keys of manual runs and names of skills: lower case, digits and inner dashes, at most 64 characters. */
export const nameRule = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

/** An instant as people and files write it, ISO 8601 in UTC: `2026-11-22T06:00:00Z`, milliseconds only where there are any. */
export const iso = (atMs: number): string => new Date(atMs).toISOString().replace(".000Z", "Z")

const compact = (atMs: number): string => iso(atMs).replace(/[-:]/g, "")
const pattern =
  /^([a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:\.(\d{3}))?Z(?:\+manual-([a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?))?$/
