/**
 * How a runtime stands, seen from outside: from the files it keeps and from whether its process lives. Nothing is locked,
 * opened for writing or asked over a socket, so the answer is the same kind of answer while it hangs or is gone.
 */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { shown } from "../domain/Errors.ts"
import { type Picture, pictureFormat, type SkillPicture } from "../domain/Picture.ts"
import { Disk } from "../layers/Disk.ts"
import { owner } from "../layers/Lock.ts"
import { processIdentity } from "../layers/platform.ts"

export type Health = "ok" | "warning" | "critical" | "unknown"

export interface Standing {
  readonly state: string
  readonly health: Health
  /** What makes it anything but ok, the worst first. */
  readonly why: ReadonlyArray<string>
  /** `unknown` where the owner's process cannot be judged from here, as on another host. */
  readonly running: boolean | "unknown"
  /** What it is doing now; nothing while it does not run. */
  readonly mode: string | null
  readonly pid: number | null
  /** Since when it runs; or when it was last heard of. */
  readonly since: string | null
  /** How old the picture is, in milliseconds. */
  readonly ageMs: number | null
  /** The last picture it wrote. What it says of the mode is true only while it runs. */
  readonly picture: Picture | null
}

/** A runtime at work writes its picture at least every 30 s; one that has not for three times that does not work. */
export const staleAfterMs = 90_000

export const standing = Effect.fnUntraced(function* (state: string, nowMs: number): Effect.fn.Return<Standing> {
  const { running, pid, since } = yield* presence(state)
  const read = readPicture(join(state, "status.json"))
  const picture = typeof read === "string" ? undefined : read
  const fresh = picture !== undefined && picture.pid === pid
  const ageMs = picture === undefined ? undefined : Math.max(0, nowMs - Date.parse(picture.updatedAt))
  const findings = [
    ...(running === true
      ? []
      : [running === false ? critical("the runtime is not running") : unknown("whether the runtime runs cannot be told from this host")]),
    ...(typeof read === "string" && !(running === true && read === neverWritten) ? [unknown(read)] : []),
    // The picture of the runtime before this one: this one is still reading the journal.
    ...(running === true && !fresh && (picture !== undefined || read === neverWritten) ? [starting(nowMs - Date.parse(since))] : []),
    ...(picture === undefined ? [] : judge(picture, running !== false && (fresh || running === "unknown"), ageMs ?? 0))
  ]
  const worst = order.find((health) => findings.some((finding) => finding.health === health)) ?? "ok"
  return {
    state,
    running,
    mode: running !== true ? null : fresh ? picture.mode : "starting",
    health: worst,
    why: order.flatMap((health) => findings.filter((finding) => finding.health === health).map(({ text }) => text)),
    pid: pid ?? null,
    since: (running === false ? picture?.updatedAt : since) ?? null,
    ageMs: ageMs ?? null,
    picture: picture ?? null
  }
})

const order: ReadonlyArray<Health> = ["critical", "unknown", "warning"]

interface Finding {
  readonly health: Health
  readonly text: string
}
const critical = (text: string): Finding => ({ health: "critical", text })
const warning = (text: string): Finding => ({ health: "warning", text })
const unknown = (text: string): Finding => ({ health: "unknown", text })
const starting = (ms: number): Finding =>
  ms > staleAfterMs
    ? critical(`it began ${Math.round(ms / 1_000)} s ago and has written no status.json yet`)
    : warning("it is starting: reading the state directory")

/** Whether the process that says it holds the directory is that process still: its number alone may be another's by now. */
const presence = Effect.fnUntraced(function* (state: string) {
  const known = yield* Effect.provide(owner(state), Disk.layerNode)
  if (known === undefined) return { running: false as const, pid: undefined, since: undefined }
  const { pid, since } = known
  if (known.host !== hostname() || known.startTime === "unknown") return { running: "unknown" as const, pid, since }
  const alive = yield* processIdentity(pid)
  const same = alive !== undefined && alive.startTime === known.startTime && alive.bootId === known.bootId
  return same ? { running: true as const, pid, since } : { running: false as const, pid: undefined, since: undefined }
})

const judge = (picture: Picture, running: boolean, ageMs: number): ReadonlyArray<Finding> => {
  const { mode, means, reasons, skills, problems, outbox, parkedRuns } = picture
  const ofMode = !running
    ? []
    : mode === "failed" || mode === "blocked" || mode === "stopped"
      ? [critical(`${mode}: ${reasons.storage === undefined ? means : shown(reasons.storage)}`)]
      : mode.startsWith("degraded") || mode === "held" || mode === "starting" || mode === "draining"
        ? [warning(`${mode}: ${means}`)]
        : []
  return [
    ...(running && ageMs > staleAfterMs
      ? [critical(`its picture is ${Math.round(ageMs / 1_000)} s old: the runtime lives and does not work`)]
      : []),
    ...(running && picture.stalled !== undefined
      ? [critical(`its event loop has stood still since ${picture.stalled.since}: ${stuck}`)]
      : []),
    ...ofMode,
    ...skills.flatMap(ofSkill),
    ...ofProblems(problems),
    ...parkedRuns.map(({ run, reason }) => warning(`${run} is parked: ${shown(reason)}`)),
    ...(outbox.parked === 0 ? [] : [warning(`${outbox.parked} reports could not be delivered and are parked: holdfast outbox lists them`)])
  ]
}

const ofProblems = (problems: Picture["problems"]): ReadonlyArray<Finding> => {
  const ofLink = problems.filter(({ where }) => where === "session" || where === "gateway")
  const files = problems.length - ofLink.length
  return [
    ...(files === 0 ? [] : [warning(`${files} of the skill files cannot be used`)]),
    ...ofLink.map(({ code, where, got }) => warning(`${code} at the ${where}: ${shown(got)}`))
  ]
}

const ofSkill = ({ name, state, reason, failures, last }: SkillPicture): ReadonlyArray<Finding> => [
  ...(state === "held" || state === "quarantined" ? [warning(`${name} is ${state}: ${shown(reason ?? "")}`)] : []),
  ...(last?.outcome === "unproven"
    ? [warning(`${name} ended well and without its evidence: ${shown(last.reason)}`)]
    : failures > 0
      ? [warning(`${name} failed ${failures === 1 ? "last time" : `${failures} times in a row`}`)]
      : [])
]

/** What a stall means for the skills. */
export const stuck = "no skill starts, ends or is timed out"

const neverWritten = "no runtime has written a status.json here"

/** The picture, or why there is none. It is replaced whole, so a broken one is not a matter of the moment. */
const readPicture = (file: string): Picture | string => {
  try {
    const older = { parkedRuns: [] } // What the same format of an older version does not have.
    const picture = { ...older, ...(JSON.parse(readFileSync(file, "utf8")) as Picture) }
    return picture.format === pictureFormat ? picture : `${file} has format ${shown(picture.format)}, this version reads ${pictureFormat}`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === "ENOENT" ? neverWritten : `${file} cannot be read: ${code ?? "not JSON"}`
  }
}
