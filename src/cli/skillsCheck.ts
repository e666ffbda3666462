/** `holdfast skills check`: reads skills as the runtime would, and says what each comes to and what is wrong. */
import * as Effect from "effect/Effect"
import { namesFile } from "../domain/Agent.ts"
import { existsSync } from "node:fs"
import { type Approval, approvalProblem } from "../domain/Approval.ts"
import { showDuration } from "../domain/durations.ts"
import { explain, shown } from "../domain/Errors.ts"
import type { Evidence } from "../domain/Evidence.ts"
import { iso } from "../domain/Run.ts"
import { next, type Schedule } from "../domain/Schedule.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { Disk } from "../layers/Disk.ts"
import { showSize } from "../domain/sizes.ts"
import type { LoadedSkills } from "../layers/Skills.ts"
import { clockTime, type Timing } from "../domain/Timing.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { loadSkills } from "./loadSkills.ts"
import type { Out } from "./output.ts"
import { configFile, stateDirectory } from "./place.ts"
import { scheduleText } from "./scheduleText.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Reads every skill in these folders (default: the config's), with the config's overrides, and shows its settings, " +
    "its next three slots, and every " +
    "problem: where, what was found, what is wanted, and how to mend it. Leaves with 0 when there is none, else with 78. Runs nothing.",
  words: { usage: "[DIR ...]", min: 0, max: 64 },
  flags: { state: shared.state, config: shared.config },
  examples: [
    ["holdfast skills check ./skills", "a folder of skills"],
    ["holdfast skills check", "those of holdfast.config.json"],
    ["holdfast skills check ./skills --json | jq .problems", "for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const config = yield* loadConfig(configFile(flags.config))
      const folders = words.length > 0 ? words : config.skillsFolders
      if (folders.length === 0) return yield* Effect.fail(nothingToCheck)
      const found = yield* loadSkills(config, folders)
      const approvals = found.skills.some(({ pinned }) => pinned !== undefined) ? yield* approvalsIn(yield* stateDirectory(flags)) : none
      const loaded = judged(found, approvals)
      if (out.json) out.value(asValue(loaded, Date.now()))
      else describe(loaded, approvals, out, Date.now())
      return loaded.problems.length === 0 ? exit.ok : exit.config
    })
})

const nothingToCheck = new UsageInvalid({
  code: "WORDS",
  where: "holdfast skills check",
  got: "no folder, and none in a config",
  want: "DIR",
  fix: "name the folder that holds the skills' folders"
})

/** What the journal has of them, with a runtime at work or without one. */
const approvalsIn = Effect.fnUntraced(function* (directory: string) {
  if (!existsSync(directory)) return none
  const { ledger } = yield* Effect.provide(readState(directory), Disk.layerNode)
  return ledger.approvals
})
const none: ReadonlyMap<string, Approval> = new Map()

/** Skills that are not approved as they are among the problems, as a start would have it. */
const judged = ({ skills, problems, ...loaded }: LoadedSkills, approvals: ReadonlyMap<string, Approval>): LoadedSkills => {
  const unapproved = skills.map((skill) => approvalProblem(skill, approvals))
  return {
    ...loaded,
    skills: skills.filter((_, i) => unapproved[i] === undefined),
    problems: [...problems, ...unapproved.filter((problem) => problem !== undefined)]
  }
}

const asValue = ({ skills, passive, problems }: LoadedSkills, nowMs: number) => ({
  skills: skills.map((skill) => ({ ...skill, next: nextSlots(skill.schedule, nowMs).map(iso) })),
  passive,
  problems: problems.map(({ code, where, got, want, fix }) => ({ code, where, got, want, fix }))
})

const describe = ({ skills, passive, problems }: LoadedSkills, approvals: ReadonlyMap<string, Approval>, out: Out, nowMs: number): void => {
  const { paint } = out
  for (const skill of skills) {
    out.line(`${paint.green("ok")}  ${paint.bold(skill.name)}  ${shown(skill.description)}`)
    out.line(`    schedule  ${scheduleText(skill.schedule)}`)
    out.line(`    next      ${nextSlots(skill.schedule, nowMs).map(iso).join("  ") || "none"}`)
    for (const [key, text] of settings(skill, approvals)) out.line(paint.dim(`    ${key.padEnd(8)}  ${text}`))
  }
  for (const { name, description } of passive)
    out.line(`${paint.dim("--")}  ${name}  ${paint.dim(`no settings of ours, so it is never run: ${shown(description)}`)}`)
  for (const problem of problems) out.line(`${paint.red("!!")}  ${explain(problem)}`)
  out.line(
    `${skills.length} good, ${passive.length} without settings, ` +
      (problems.length === 0 ? "no problems" : paint.red(`${problems.length} problems`))
  )
}

/** The next three. */
export const nextSlots = (schedule: Schedule | undefined, nowMs: number): ReadonlyArray<number> => {
  const slots: Array<number> = []
  for (let at = nowMs; schedule !== undefined && slots.length < 3;) {
    const slot = next(schedule, at)
    if (slot === undefined) break
    slots.push(slot)
    at = slot
  }
  return slots
}

const evidenceText = ({ files, fields, atLeastMs, atMostMs }: Evidence): string =>
  [
    ...(files.length === 0 ? [] : [`files ${files.join(", ")}`]),
    ...(fields.length === 0 ? [] : [`fields ${fields.join(", ")}`]),
    ...(atLeastMs === 0 ? [] : [`at least ${showDuration(atLeastMs)}`]),
    ...(atMostMs === Infinity ? [] : [`at most ${showDuration(atMostMs)}`])
  ].join("; ")

const timingText = ({ zone, delayMs, catchUpWindowMs, startWithinMs, lateHours, daysOff }: Timing): string =>
  [
    ...(delayMs === 0 ? [] : [`begins ${showDuration(delayMs)} after its slot`]),
    ...(startWithinMs === Infinity ? [] : [`begins within ${showDuration(startWithinMs)} or not`]),
    ...(catchUpWindowMs === Infinity ? [] : [`makes good what is up to ${showDuration(catchUpWindowMs)} old`]),
    ...(lateHours === undefined ? [] : [`late work from ${clockTime(lateHours.fromMinute)} to ${clockTime(lateHours.toMinute)} (${zone})`]),
    ...(daysOff.length === 0
      ? []
      : [`off on ${daysOff.map(({ from, through }) => (from === through ? from : `${from}..${through}`)).join(", ")} (${zone})`])
  ].join("; ")

const approvalText = (approval: Approval | undefined): string => `by ${shown(approval?.by)} at ${iso(approval?.atMs ?? 0)}`

const limitsText = ({ timeoutMs, silenceMs, memoryBytes, graceMs }: SkillDefinition): string =>
  [
    `timeout ${showDuration(timeoutMs)}`,
    ...(silenceMs === undefined ? [] : [`silence ${showDuration(silenceMs)}`]),
    ...(memoryBytes === undefined ? [] : [`memory ${showSize(memoryBytes)}`]),
    `grace ${showDuration(graceMs)}`
  ].join(", ")

const settings = (skill: SkillDefinition, approvals: ReadonlyMap<string, Approval>): ReadonlyArray<readonly [string, string]> => [
  ["work", workText(skill)],
  ["limits", limitsText(skill)],
  [
    "retry",
    `${skill.retry.attemptsMax} attempts, ${showDuration(skill.retry.firstMs)} apart and doubling, ` +
      `at most ${showDuration(skill.retry.capMs)}`
  ],
  [
    "policies",
    `catchUp ${skill.catchUp}, overlap ${skill.overlap}, onInterruption ${skill.onInterruption}, ` +
      `onRuntimeDeath ${skill.onRuntimeDeath ?? "kill"}`
  ],
  ...(skill.pool === undefined ? [] : [["pool", skill.pool] as const]),
  ...(skill.timing === undefined ? [] : [["timing", timingText(skill.timing)] as const]),
  ...(budgetText(skill) === "" ? [] : [["budget", budgetText(skill)] as const]),
  ["needs", skill.needs.join(", ") || "nothing but this machine"],
  ["report", reportText(skill)],
  ...(skill.evidence === undefined ? [] : [["evidence", evidenceText(skill.evidence)] as const]),
  ...(skill.pinned === undefined ? [] : [["approved", approvalText(approvals.get(skill.name))] as const]),
  ...(skill.importedFrom === undefined ? [] : [["imported", `from ${skill.importedFrom}`] as const]),
  ...(skill.env.length === 0 ? [] : [["env", skill.env.join(", ")] as const])
]

const reportText = ({ report: { when, session, via, keepForMs, collapse } }: SkillDefinition): string =>
  [
    `${when}${session === undefined ? "" : ` to ${shown(session)}`}`,
    ...(via === undefined
      ? []
      : [`via ${via}${via === "wake" || via === "hooks" ? " (lossy: the gateway takes it and may lose it)" : ""}`]),
    ...(keepForMs === undefined ? [] : [`kept for ${showDuration(keepForMs)}`]),
    ...(collapse === true ? ["only the newest that waits"] : [])
  ].join(", ")

const budgetText = ({ work }: SkillDefinition): string =>
  work._tag !== "Prompt"
    ? ""
    : [
        ...(work.perDay.own === undefined ? [] : [`${work.perDay.own} prompts in 24 hours`]),
        ...(work.perDay.all === undefined ? [] : [`${work.perDay.all} of all prompt skills`])
      ].join(", ")

/** What does the work, in a few words. */
export const workText = ({ work }: SkillDefinition): string => {
  switch (work._tag) {
    case "Process":
      return `run ${work.argv.map(shown).join(" ")}`
    case "Prompt":
      return `prompt ${namesFile(work.command) ? "to" : "on stdin of"} ${work.command.map(shown).join(" ")}`
    case "Module":
      return `module ${shown(work.file)}`
    case "Function":
      return "a function given in code"
  }
}
