/** `holdfast status`: one screen, from files alone. */
import * as Effect from "effect/Effect"
import { shown } from "../domain/Errors.ts"
import type { Picture, SkillPicture } from "../domain/Picture.ts"
import { guarantees } from "../machines/guarantees.ts"
import { defineCommand, exit, shared } from "./command.ts"
import type { Out } from "./output.ts"
import { existingState } from "./place.ts"
import { type Health, type Standing, standing, staleAfterMs, stuck } from "./standing.ts"
import { clock, length, relative } from "./times.ts"

/** What `--exit-code` leaves with: the numbers that monitoring plugins use. */
const healthCodes: Readonly<Record<Health, number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 }

export const command = defineCommand({
  about:
    "Shows the mode and what it promises, every skill, and what waits. Reads files only: it works while the runtime is down, and says so.",
  flags: {
    "exit-code": { type: "switch", about: "leave with 0 ok, 1 warning, 2 critical, 3 unknown" },
    ...shared
  },
  examples: [
    ["holdfast status", "one screen"],
    ["holdfast status --exit-code", "for a monitor: 0 ok, 1 degraded or failing, 2 not running or stalled, 3 cannot tell"],
    ["holdfast status --json", "the same for programs: { health, why, running, picture, ... }"]
  ],
  run: ({ flags, out }) => {
    const shownAs = (seen: Standing): number => {
      if (out.json) out.value(seen)
      else screen(seen, out, Date.now())
      return flags["exit-code"] ? healthCodes[seen.health] : exit.ok
    }
    return existingState(flags).pipe(
      Effect.flatMap((state) => standing(state, Date.now())),
      Effect.map(shownAs),
      Effect.catchTag("StateUnusable", (error) =>
        !flags["exit-code"]
          ? Effect.fail(error)
          : Effect.succeed(
              shownAs({
                state: error.where,
                health: "unknown",
                why: [`${error.where}: ${error.got}`],
                running: false,
                mode: null,
                pid: null,
                since: null,
                ageMs: null,
                picture: null
              })
            )
      )
    )
  }
})

const screen = (seen: Standing, out: Out, nowMs: number): void => {
  const { paint } = out
  const { picture } = seen
  const headColour = seen.health === "ok" ? paint.green : seen.health === "critical" ? paint.red : paint.yellow
  if (picture !== null && seen.mode === picture.mode) {
    out.line(`${paint.bold(headColour(picture.mode))}  ${picture.means}`)
    out.line(paint.dim(promised(picture)))
    for (const [part, reason] of Object.entries(picture.reasons)) if (reason !== "notConfigured") out.line(`  ${part}: ${shown(reason)}`)
    if (picture.circuit !== undefined && picture.circuit.state !== "closed")
      out.line(`  circuit ${picture.circuit.state}: ${picture.circuit.failures} calls to the gateway failed in a row`)
    for (const part of ["session", "gateway"] as const)
      if (picture[part]?.state === "slow") out.line(paint.yellow(`  ${part}: slow, its answers come late`))
  } else if (seen.mode !== null) {
    out.line(`${paint.bold(headColour(seen.mode))}  ${guarantees.starting.means}`)
  } else {
    const heard = seen.since === null ? "" : `, last heard of ${relative(Date.parse(seen.since), nowMs)} (${seen.since})`
    out.line(`${paint.bold(headColour(seen.running === false ? "not running" : "unknown"))}${heard}`)
    out.line(
      paint.dim(
        seen.running === false
          ? "nothing fires; what is below is how it was left. Start it: holdfast up"
          : "its process is not on this host"
      )
    )
  }
  if (picture === null) for (const reason of seen.why) out.line(`  ${shown(reason)}`)
  else {
    if (seen.running !== false && (seen.ageMs ?? 0) > staleAfterMs)
      out.line(paint.red(`  stale: updated ${length(seen.ageMs ?? 0)} ago (${picture.updatedAt})`))
    if (seen.running !== false && picture.stalled !== undefined)
      out.line(paint.red(`  stalled: its event loop has stood still for ${length(nowMs - Date.parse(picture.stalled.since))}: ${stuck}`))
    body(picture, seen.running !== false, out, nowMs)
  }
  const started = seen.running === true && seen.since !== null ? `pid ${seen.pid}, up ${length(nowMs - Date.parse(seen.since))}, ` : ""
  out.line("")
  out.line(paint.dim(`${started}${seen.state}`))
}

/** What the mode promises, in one line. */
const promised = ({ guarantee: { local, session, gateway, results } }: Picture): string =>
  `local skills: ${local} · needs session: ${session} · needs gateway: ${gateway} · results: ${results}`

const body = ({ skills, problems, outbox, slots, parkedRuns, session }: Picture, running: boolean, out: Out, nowMs: number): void => {
  const { paint } = out
  out.line("")
  if (skills.length === 0) out.line("no skills")
  else out.table([["SKILL", "STATE", "NEXT", "LAST"].map(paint.dim), ...skills.map((skill) => row(skill, running, out, nowMs))])
  for (const { name, state, reason } of skills) {
    if (reason !== undefined && reason !== "") out.line(paint.yellow(`  ${name} ${state}: ${shown(reason)}`))
    if (state === "quarantined") out.line(paint.dim(`    once that is mended: holdfast skills release ${name}`))
  }
  for (const { run, reason } of parkedRuns) {
    out.line(paint.yellow(`  ${run} parked: ${shown(reason)}`))
    out.line(paint.dim(`    holdfast runs release ${run}, or holdfast runs cancel ${run}`))
  }
  if (problems.length > 0) {
    out.line("")
    for (const { code, where, fix } of problems) out.line(`${paint.yellow(code)} at ${shown(where)}: ${shown(fix)}`)
  }
  out.line("")
  const oldest = outbox.oldestAt === undefined ? "" : ` (oldest ${relative(Date.parse(outbox.oldestAt), nowMs)})`
  const parked = outbox.parked === 0 ? "0 parked" : paint.yellow(`${outbox.parked} parked`)
  out.line(`outbox  ${outbox.waiting} waiting${oldest}, ${parked}, ${outbox.acknowledged} acknowledged`)
  out.line(
    `slots   ${Object.entries(slots)
      .map(([verdict, count]) => `${count} ${verdict}`)
      .join(", ")}`
  )
  const odd = Object.entries(session?.counted ?? {})
  if (odd.length > 0) out.line(`session ${odd.map(([what, count]) => `${count} ${what}`).join(", ")}`)
  if (session?.misread !== undefined) out.line(paint.dim(`  last: ${session.misread.code}, ${shown(session.misread.got)}`))
}

const row = (
  { name, state, next, last, failures }: SkillPicture,
  running: boolean,
  { paint }: Out,
  nowMs: number
): ReadonlyArray<string> => {
  const due = next === undefined ? "-" : `${clock(Date.parse(next), nowMs)} ${paint.dim(relative(Date.parse(next), nowMs))}`
  const ended =
    last === undefined
      ? "-"
      : [
          last.outcome === "success" ? paint.green(last.outcome) : paint.red(last.outcome),
          relative(Date.parse(last.at), nowMs),
          paint.dim(`took ${length(last.durationMs)}`),
          ...(failures > 1 ? [paint.red(`${failures} in a row`)] : []),
          ...(last.outcome === "success" || last.reason === "" ? [] : [shown(last.reason)])
        ].join("  ")
  return [name, running ? state : "-", due, ended]
}
