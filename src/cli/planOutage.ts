/** `holdfast plan --outage`: what would become of each slot, by the runtime's own code on virtual time. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { resolve } from "node:path"
import { type Approval, approvalProblem } from "../domain/Approval.ts"
import { showDuration } from "../domain/durations.ts"
import type { ConfigInvalid } from "../domain/Errors.ts"
import type { SkillRecord } from "../domain/Ledger.ts"
import { next, slotsBetween } from "../domain/Schedule.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { slotFates } from "../domain/SlotFate.ts"
import { Skills } from "../layers/Skills.ts"
import { type Foresight, foresee, type Outage } from "../testing/outage/index.ts"
import { exit } from "./command.ts"
import { loadConfig } from "./config.ts"
import type { Out } from "./output.ts"
import { configFile } from "./place.ts"
import { type Planned, showSlots, writeSlots } from "./plannedSlots.ts"
import { clock } from "./times.ts"
import { UsageInvalid } from "./usage.ts"

export interface OutagePlan {
  readonly flags: { readonly skills: ReadonlyArray<string>; readonly config: string | undefined }
  readonly records: ReadonlyArray<SkillRecord>
  readonly approvals: ReadonlyMap<string, Approval>
  readonly outages: ReadonlyArray<Outage>
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  readonly limit: number
  readonly out: Out
}

export const planOutage = Effect.fnUntraced(function* ({
  flags,
  records,
  approvals,
  outages,
  fromMs,
  toMs,
  nowMs,
  limit,
  out
}: OutagePlan): Effect.fn.Return<number, UsageInvalid | ConfigInvalid> {
  if (toMs - fromMs > spanMsMax) return yield* Effect.fail(tooLong(showDuration(toMs - fromMs), showDuration(spanMsMax)))
  const count = records.reduce((sum, record) => sum + (slotsOf(record, fromMs, toMs)?.count ?? 0), 0)
  if (count > slotsMax) return yield* Effect.fail(tooLong(`${count} slots`, `${slotsMax} slots`))
  const config = yield* loadConfig(configFile(flags.config))
  const definitions = yield* definitionsOf(flags, config, approvals)
  const foreseen = records.flatMap((record) => {
    const definition = definitions.get(record.name)
    return definition === undefined || record.schedule === undefined ? [] : [{ definition, record }]
  })
  const { ramp, drainDeadlineMs } = config
  const foresight = yield* foresee({ skills: foreseen, outages, fromMs, toMs, ramp, drainDeadlineMs, tell: telling(out, nowMs) })
  const planned = records
    .flatMap((record) => fatesOf(record, definitions.get(record.name), foresight, fromMs, toMs))
    .sort((a, b) => a.slotMs - b.slotMs || (a.skill < b.skill ? -1 : 1))
  if (out.json) writeSlots(planned, outages, limit, out)
  else showSlots(planned, outages, limit, out, nowMs)
  return exit.ok
})

/** What takes some seconds. */
const slotsMax = 5_000
const spanMsMax = 31 * 86_400_000

const tooLong = (got: string, most: string) =>
  new UsageInvalid({
    code: "PLAN_TOO_LONG",
    where: "holdfast plan --outage",
    got,
    want: `at most ${most}`,
    fix: "plan a shorter time with --for or --to, or name one skill"
  })

/** The skills that a start would run, by name. */
const definitionsOf = Effect.fnUntraced(function* (
  flags: OutagePlan["flags"],
  config: Effect.Success<ReturnType<typeof loadConfig>>,
  approvals: ReadonlyMap<string, Approval>
) {
  const folders = flags.skills.length > 0 ? flags.skills.map((folder) => resolve(folder)) : config.skillsFolders
  const { skills } = yield* Skills.use((skills) =>
    skills.load(folders, config.overrides, {
      zone: config.zone,
      env: config.env,
      agent: config.agent,
      approval: config.approval,
      gateway: config.file === undefined || config.gateway !== undefined // Without a config nothing says that there is none.
    })
  ).pipe(Effect.provide(Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))))
  return new Map(skills.filter((skill) => approvalProblem(skill, approvals) === undefined).map((skill) => [skill.name, skill]))
})

/** Says how far it has come, once a second, to people only. */
const telling = (out: Out, nowMs: number): ((atMs: number) => void) => {
  let saidAt = performance.now()
  return (atMs) => {
    if (out.json || performance.now() - saidAt < 1_000) return
    saidAt = performance.now()
    out.note(out.paint.dim(`planned up to ${clock(atMs, nowMs)}`))
  }
}

const slotsOf = ({ schedule, settledThroughMs }: SkillRecord, fromMs: number, toMs: number) =>
  schedule && slotsBetween(schedule, Math.max(fromMs, settledThroughMs), toMs)

const fatesOf = (
  record: SkillRecord,
  definition: SkillDefinition | undefined,
  { events, states }: Foresight,
  fromMs: number,
  toMs: number
): ReadonlyArray<Planned> => {
  const { name: skill, schedule, settledThroughMs } = record
  if (schedule === undefined) return []
  const delayMs = definition?.timing?.delayMs ?? 0
  const state = states?.get(skill)
  const waitsFor =
    states === undefined
      ? "no runtime is at work; the next start settles it"
      : record.paused !== undefined
        ? `${state?.reason}; skipped once it is resumed`
        : (state?.reason ?? (delayMs > 0 ? `its work begins ${showDuration(delayMs)} after its slot` : undefined))
  const fateOf = definition && slotFates(events, { skill, delayMs })
  const planned: Array<Planned> = []
  for (
    let slotMs = next(schedule, Math.max(fromMs, settledThroughMs));
    slotMs !== undefined && slotMs <= toMs;
    slotMs = next(schedule, slotMs)
  ) {
    const { reason, ...fate } = fateOf?.(slotMs) ?? { ...unforeseen, slotMs }
    planned.push({ skill, ...fate, reason: reason ?? (fate.fate === "waits" ? waitsFor : undefined) })
  }
  return planned
}

const unforeseen = {
  fate: "unforeseen",
  run: undefined,
  lateMs: undefined,
  reason: "its files are in no folder that was named, or cannot be used: holdfast skills check says why"
} as const
