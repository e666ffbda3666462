/**
 * The status line of a skill: one line of `key=value` pairs joined by commas, for `cat`, `cut` and `grep`.
 *
 *     status=success,timestamp=2026-11-22T06:00:03Z,run=daily-memory@20261122T060000Z,duration_ms=2100,late_ms=40,posts=4
 *     status=failed,timestamp=...,run=...,duration_ms=...,late_ms=...,last_success=2026-11-21T06:00:02Z,reason=...
 */
import type { SkillRecord } from "./Ledger.ts"
import { iso } from "./Run.ts"

/** The line, with its newline; nothing for a skill that never finished a run. `last_success` is an instant or `never`. */
export const statusLine = (skill: SkillRecord): string | undefined => {
  const run = skill.last
  const settled = run?.settled
  if (run === undefined || settled === undefined) return undefined
  const pairs: Array<readonly [string, string | number | boolean]> = [
    ["status", settled.outcome],
    ["timestamp", iso(settled.atMs)],
    ["run", run.run],
    ["duration_ms", settled.durationMs]
  ]
  if (settled.startedAtMs !== null) pairs.push(["late_ms", Math.max(0, settled.startedAtMs - run.slotAtMs)])
  if (settled.outcome !== "success") {
    pairs.push(["last_success", skill.lastSuccessAtMs === undefined ? "never" : iso(skill.lastSuccessAtMs)])
    if (settled.reason !== "") pairs.push(["reason", settled.reason.slice(0, reasonMax)])
  }
  for (const [key, value] of Object.entries(settled.fields)) pairs.push([ours.has(key) ? `${key}_` : key, value])
  return `${pairs.map(([key, value]) => `${encode(key).replaceAll("=", "%3D")}=${encode(String(value))}`).join(",")}\n`
}

/** Reads a status line back; nothing when the text is not one. Of a key that stands twice the first counts. */
export const parseStatusLine = (text: string): ReadonlyMap<string, string> | undefined => {
  if (!text.startsWith("status=") || !text.endsWith("\n") || text.indexOf("\n") !== text.length - 1) return undefined
  const pairs = new Map<string, string>()
  for (const pair of text.slice(0, -1).split(",")) {
    const at = pair.indexOf("=")
    if (at < 0) return undefined
    const key = decode(pair.slice(0, at))
    if (!pairs.has(key)) pairs.set(key, decode(pair.slice(at + 1)))
  }
  return pairs
}

/** Keys that this line owns: a skill's field of such a name is written with `_` behind it. */
const ours: ReadonlySet<string> = new Set(["status", "timestamp", "run", "duration_ms", "late_ms", "last_success", "reason"])
const reasonMax = 200

// oxlint-disable-next-line no-control-regex -- control characters would end the line or move the reader's cursor.
const special = /[%,\u0000-\u001f\u007f-\u009f\u2028\u2029]/g
const encode = (text: string): string => text.replace(special, encodeURIComponent)
const decode = (text: string): string =>
  text.replace(/(?:%[0-9A-F]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll("%", ""), "hex").toString("utf8"))
