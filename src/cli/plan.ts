/** `holdfast plan`: the slots that are to come. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { parseDuration, showDuration } from "../domain/durations.ts"
import { shown } from "../domain/Errors.ts"
import type { SkillRecord } from "../domain/Ledger.ts"
import { iso, runId } from "../domain/Run.ts"
import { next, slotsBetween } from "../domain/Schedule.ts"
import { asideReason, pausedReason } from "../domain/Wish.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { readMoment, readNextMoment } from "./moment.ts"
import { readOutages } from "./outages.ts"
import { existingState } from "./place.ts"
import { scheduleText } from "./scheduleText.ts"
import { clock, relative } from "./times.ts"
import { unknownSkill } from "./unknownSkill.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Lists the slots to come, of all skills or of one, as their adopted schedules name them: it works while the runtime is down. Slots of a skill that is paused or put aside are marked; " +
    "what else may keep one from firing is not foreseen. TIME is 06:00 (of --from the latest one, else the next one), '2026-12-24 00:00' or 2026-12-24T00:00:00Z. " +
    "With --outage it also says what becomes of each slot: the runtime's own code lives through that time on a clock that jumps, with the policies of the skill files, " +
    "each run as long as the last one and a success. WHAT is session, gateway (both layers of the link) or runtime (stopped at FROM, started at TO). Nothing is run or written.",
  words: { usage: "[SKILL]", min: 0, max: 1 },
  flags: {
    from: { type: "text", value: "TIME", about: "instead of now" },
    for: { type: "text", value: "DURATION", about: "how far, such as '3 days' (default: 1 day)" },
    to: { type: "text", value: "TIME", about: "in place of --for: the end" },
    outage: { type: "texts", value: "WHAT=FROM..TO", about: "what is lost, and when; times of day are the next ones from --from on" },
    skills: { type: "texts", value: "DIR", about: "with --outage: a folder of skills; in place of the config's" },
    limit: {
      type: "number",
      value: "N",
      min: 1,
      max: 100_000,
      about: "how many at most (default: 50); with --outage those on time are left out first"
    },
    state: shared.state,
    config: shared.config
  },
  examples: [
    ["holdfast plan", "the next day"],
    ["holdfast plan post-pipeline --for '7 days'", "of one skill, for a week"],
    ["holdfast plan --from '2026-12-24 00:00' --json", "one slot a line, for programs"],
    ["holdfast plan --outage session=02:00..07:30", "what a night without the session would do"],
    ["holdfast plan --outage gateway=22:00..23:00 --outage runtime=02:00..02:10", "and an update of the machine"]
  ],
  run: ({ flags, words: [skill], out }) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const fromMs = flags.from === undefined ? nowMs : readMoment(flags.from, nowMs)
      if (fromMs === undefined)
        return yield* Effect.fail(wrong("TIME_SYNTAX", "--from", flags.from!, "06:00, '2026-12-24 00:00' or 2026-12-24T00:00:00Z"))
      const toMs = yield* endOf(flags, fromMs)
      const outages = yield* readOutages(flags.outage, fromMs, toMs)
      const { ledger } = yield* readState(yield* existingState(flags))
      const known = [...ledger.skills.values()].filter(({ removed }) => !removed)
      if (skill !== undefined && !known.some(({ name }) => name === skill)) {
        return yield* unknownSkill(
          skill,
          known.map(({ name }) => name)
        )
      }
      const limit = flags.limit ?? limitDefault
      const asked = known.filter(({ name }) => skill === undefined || name === skill)
      if (outages.length > 0) {
        const { planOutage } = yield* Effect.promise(() => import("./planOutage.ts")) // With the whole runtime in it.
        return yield* planOutage({ flags, records: asked, approvals: ledger.approvals, outages, fromMs, toMs, nowMs, limit, out })
      }
      const { slots, count } = upcoming(asked, fromMs, toMs, limit)
      for (const { atMs, record } of out.json ? slots : [])
        out.value({ skill: record.name, slot: iso(atMs), run: runId({ skill: record.name, slotAtMs: atMs }), note: noteOf(record) ?? null })
      if (!out.json) {
        if (slots.length === 0) out.line(`no slots within ${showDuration(toMs - fromMs)}`)
        else
          out.table([
            ["SLOT", "", "SKILL", "SCHEDULE", ""].map(out.paint.dim),
            ...slots.map(({ atMs, record }) => [
              clock(atMs, nowMs),
              out.paint.dim(relative(atMs, nowMs)),
              record.name,
              record.schedule === undefined ? "" : scheduleText(record.schedule),
              out.paint.yellow(noteOf(record) ?? "")
            ])
          ])
        if (count > slots.length) out.line(`and ${count - slots.length} more; --limit shows them`)
      }
      return exit.ok
    }).pipe(Effect.provide(Disk.layerNode))
})

const dayMs = 86_400_000
const limitDefault = 50

/** The end of the plan. */
const endOf = (flags: { readonly for: string | undefined; readonly to: string | undefined }, fromMs: number) => {
  if (flags.for !== undefined && flags.to !== undefined) return Effect.fail(twoEnds)
  if (flags.to !== undefined) {
    const toMs = readNextMoment(flags.to, fromMs)
    if (toMs === undefined) return Effect.fail(wrong("TIME_SYNTAX", "--to", flags.to, "06:00, '2026-12-24 00:00' or 2026-12-24T00:00:00Z"))
    if (toMs > fromMs && toMs - fromMs <= forMsMax) return Effect.succeed(toMs)
    return Effect.fail(wrong("TIME_ORDER", "--to", flags.to, `a time after ${iso(fromMs)}, by at most 366 days`))
  }
  const forMs = flags.for === undefined ? dayMs : parseDuration(flags.for)
  if (forMs !== undefined && forMs >= 1 && forMs <= forMsMax) return Effect.succeed(fromMs + forMs)
  return Effect.fail(wrong("DURATION", "--for", flags.for!, "a duration of up to 366 days, such as '3 days'"))
}
const forMsMax = 366 * dayMs

interface Slot {
  readonly atMs: number
  readonly record: SkillRecord
}

/** The first `limit` slots of all of them in order, and how many there are. */
const upcoming = (
  records: ReadonlyArray<SkillRecord>,
  fromMs: number,
  toMs: number,
  limit: number
): { readonly slots: ReadonlyArray<Slot>; readonly count: number } => {
  let count = 0
  const slots: Array<Slot> = []
  for (const record of records) {
    const { schedule, settledThroughMs } = record
    if (schedule === undefined) continue
    const afterMs = Math.max(fromMs, settledThroughMs)
    count += slotsBetween(schedule, afterMs, toMs).count
    let found = 0
    for (let atMs = next(schedule, afterMs); atMs !== undefined && atMs <= toMs && found < limit; atMs = next(schedule, atMs), found++)
      slots.push({ atMs, record })
  }
  return { slots: slots.sort((a, b) => a.atMs - b.atMs || (a.record.name < b.record.name ? -1 : 1)).slice(0, limit), count }
}

const noteOf = ({ quarantined, probe, paused }: SkillRecord): string | undefined =>
  quarantined !== undefined
    ? `put aside: ${asideReason(quarantined, probe?.atMs)}`
    : paused !== undefined
      ? `to be skipped: ${pausedReason(paused)}`
      : undefined

const twoEnds = new UsageInvalid({
  code: "FLAGS_CONFLICT",
  where: "holdfast plan",
  got: "--for and --to",
  want: "one of them",
  fix: "leave out one of them"
})

const wrong = (code: string, flag: string, got: string, want: string) =>
  new UsageInvalid({ code, where: `holdfast plan ${flag}`, got: shown(got), want, fix: "correct the flag" })
