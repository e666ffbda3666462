/** What `holdfast up` says first: where it is, what will run and when, what is wrong, and what to try. */
import { explain } from "../domain/Errors.ts"
import type { Ledger } from "../domain/Ledger.ts"
import type { Picture } from "../domain/Picture.ts"
import { next as nextSlot } from "../domain/Schedule.ts"
import { type HoldfastOptions, version } from "../layers/Holdfast.ts"
import type { Mode } from "../machines/guarantees.ts"
import { invocation } from "./invocation.ts"
import type { Out } from "./output.ts"
import { defaultState } from "./place.ts"
import { clock, relative } from "./times.ts"
import { modeLine } from "./upLog.ts"

export const greet = (options: HoldfastOptions, notes: ReadonlyArray<string>, picture: Picture, { skills }: Ledger, out: Out): void => {
  const { paint } = out
  const nowMs = Date.parse(picture.updatedAt)
  const when = (name: string): string => {
    const schedule = skills.get(name)?.schedule // The skills' own actors are only just starting.
    const due = schedule === undefined ? undefined : nextSlot(schedule, nowMs)
    return due === undefined ? "when triggered" : `next ${clock(due, nowMs)} ${paint.dim(relative(due, nowMs))}`
  }
  if (out.json)
    return out.value({
      type: "runtime.up",
      atMs: nowMs,
      state: options.state,
      pid: process.pid,
      mode: picture.mode,
      skills: picture.skills,
      problems: picture.problems,
      notes
    })
  out.line(`${paint.bold(`holdfast ${version}`)}  pid ${process.pid}`)
  out.line(paint.dim(`state ${options.state}`))
  for (const note of notes) out.line(paint.dim(note))
  for (const problem of picture.problems) out.line(`\n${paint.red(explain(problem))}`)
  out.line("")
  if (picture.skills.length === 0) out.line(paint.yellow("no skills: name their folder with --skills"))
  else out.table(picture.skills.map(({ name }) => [`  ${name}`, when(name)]))
  out.line("\nFrom another terminal:")
  for (const text of hints(options, picture)) out.line(`  ${text}`)
  out.line("")
  out.line(
    modeLine(
      nowMs,
      picture.mode as Mode,
      Object.entries(picture.reasons)
        .filter(([, reason]) => reason !== "notConfigured")
        .map((pair) => pair.join(" "))
        .join(", "),
      out
    )
  )
}

/** Three commands to try next, as they work from here. */
const hints = ({ state }: HoldfastOptions, { mode, skills }: Picture): ReadonlyArray<string> => {
  const at = state === defaultState() ? "" : ` --state ${quoted(state)}`
  const call = invocation()
  return [
    `${call} status${at}`,
    mode === "held"
      ? `${call} release${at}`
      : skills[0] === undefined
        ? `${call} skills check DIR`
        : `${call} trigger ${skills[0].name} --wait${at}`,
    `${call} runs${at}`
  ]
}

const quoted = (path: string): string => (/^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)
