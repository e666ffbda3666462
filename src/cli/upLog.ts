/** What `holdfast up` says while it runs: one calm line for each thing that a person would want to know. */
import { shown } from "../domain/Errors.ts"
import type { EventOf, JournalEvent } from "../domain/JournalEvent.ts"
import { parseRunId } from "../domain/Run.ts"
import { guarantees, type Mode } from "../machines/guarantees.ts"
import type { Out } from "./output.ts"
import { clock, length } from "./times.ts"

/** The line for an event; nothing for those that are steps on the way to another. Changes of mode have `modeLine`. */
export const eventLine = (event: JournalEvent, out: Out): string | undefined => {
  const { paint } = out
  switch (event.type) {
    case "run.settled":
      return line(event.atMs, "run", settled(event, out), out)
    case "attempt.failed":
      return event.retryAtMs === null
        ? undefined
        : line(
            event.atMs,
            "retry",
            `${skillOf(event.run)}  attempt ${event.attempt} ${paint.yellow("failed")}: ${shown(event.reason)}; ` +
              `again at ${clock(event.retryAtMs)}`,
            out
          )
    case "run.parked":
      return line(event.atMs, "run", `${event.run}  ${paint.red("parked")}: ${shown(event.reason)}`, out)
    case "run.released":
      return line(event.atMs, "run", `${event.run}  released by ${shown(event.by)}`, out)
    case "slot.settled":
      return event.verdict === "run" ? undefined : line(event.atMs, "slot", slots(event, out), out)
    case "entry.acknowledged":
      return line(
        event.atMs,
        "report",
        `${event.run}  ${paint.green("acknowledged")}${event.how === "history" ? " (found in the session's history)" : event.via === undefined ? "" : ` (by ${event.via}: taken, and may be lost)`}`,
        out
      )
    case "entry.parked":
      return line(event.atMs, "report", `${event.run}  ${paint.red("parked")}: ${shown(event.reason)}`, out)
    case "entry.collapsed":
      return line(event.atMs, "report", `${event.run}  collapsed into that of ${event.into}`, out)
    case "entries.digested":
      return line(event.atMs, "report", `${event.digest}  in place of ${event.runs.length} reports`, out)
    case "entry.redriven":
      return line(event.atMs, "report", `${event.run}  to be sent again, says ${shown(event.by)}`, out)
    case "entry.dropped":
      return line(event.atMs, "report", `${event.run}  given up by ${shown(event.by)}`, out)
    case "skill.quarantined":
      return line(event.atMs, "skill", `${event.skill}  ${paint.red("set aside")}: ${shown(event.why)}`, out)
    case "skill.released":
      return line(event.atMs, "skill", `${event.skill}  released by ${shown(event.by)}`, out)
    case "skill.approved":
      return line(event.atMs, "skill", `${shown(event.skill)}  approved by ${shown(event.by)} as ${shown(event.digest.slice(0, 16))}`, out)
    case "skill.paused":
    case "skill.resumed":
      return line(
        event.atMs,
        "skill",
        `${event.skill}  ${event.type.slice("skill.".length)} by ${shown(event.by)}: ${shown(event.why)}`,
        out
      )
    case "runtime.stalled":
      return line(event.atMs, "stall", `the event loop stood still for ${length(event.forMs)}`, out)
    case "clock.jumped":
      return line(event.atMs, "clock", `jumped by ${event.byMs < 0 ? "-" : ""}${length(Math.abs(event.byMs))}`, out)
    default:
      return undefined
  }
}

/** A change of mode, with what still works in it. */
export const modeLine = (atMs: number, mode: Mode, reason: string, out: Out): string => {
  const { means } = guarantees[mode]
  const colour =
    mode === "connected" || mode === "standalone"
      ? out.paint.green
      : mode === "failed" || mode === "blocked"
        ? out.paint.red
        : out.paint.yellow
  const why = reason === "" ? "" : ` (${shown(reason)})`
  return `${line(atMs, "mode", `${out.paint.bold(colour(mode))}: ${means}${why}`, out)}\n${indent}${out.paint.dim(promiseLine(mode))}`
}

/** What a mode promises, in one line. */
export const promiseLine = (mode: Mode): string => {
  const { local, session, gateway, results } = guarantees[mode]
  return `local skills: ${local} · needs session: ${session} · needs gateway: ${gateway} · results: ${results}`
}

/** A skill whose slot is due and may not start, and why. */
export const heldLine = (atMs: number, skill: string, reason: string, out: Out): string =>
  line(atMs, "held", `${skill}  ${out.paint.yellow("waits")}: ${shown(reason)}`, out)

export const line = (atMs: number, what: string, text: string, { paint }: Out): string =>
  `${paint.dim(clock(atMs))}  ${what.padEnd(6)}  ${text}`
const indent = " ".repeat(18)

const settled = ({ run, outcome, reason, startedAtMs, durationMs, fields, report }: EventOf<"run.settled">, { paint }: Out): string => {
  const identity = parseRunId(run)
  const colour = outcome === "success" ? paint.green : paint.red
  return [
    identity?.skill ?? run,
    colour(outcome),
    identity?.manual === undefined ? `slot ${identity === undefined ? "?" : clock(identity.slotAtMs)}` : "by hand",
    `took ${length(durationMs)}`,
    ...(startedAtMs === null || identity === undefined ? [] : [paint.dim(`${length(Math.max(0, startedAtMs - identity.slotAtMs))} late`)]),
    ...Object.entries(fields).map(([key, value]) => paint.dim(`${shown(key)}=${shown(value)}`)),
    ...(reason === "" || outcome === "success" ? [] : [shown(reason)]),
    ...(report === null ? [] : [paint.dim(`to be reported${report.via === undefined ? "" : ` by ${report.via}, lossy`}`)])
  ].join("  ")
}

const slots = ({ skill, count, slot, verdict, reason }: EventOf<"slot.settled">, { paint }: Out): string =>
  `${skill}  ${count === 1 ? "1 slot" : `${count} slots`} ${paint.yellow(verdict)}, ` +
  `${count === 1 ? "" : "from "}${clock(slot)}: ${shown(reason)}`

const skillOf = (run: string): string => parseRunId(run)?.skill ?? run
