/** `holdfast backfill`: runs for slots of the past that got none. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Barrier, barriers, type PastSlot } from "../domain/Backfill.ts"
import { shown } from "../domain/Errors.ts"
import { waitingMax } from "../domain/policies/overlap.ts"
import { iso } from "../domain/Run.ts"
import { type Backfilled, type BackfillPlan, leftOutOf, planBackfill } from "../layers/Backfill.ts"
import { ask } from "../layers/ControlClient.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { givenMoment } from "./moment.ts"
import type { Out } from "./output.ts"
import { existingState, user } from "./place.ts"
import { clock } from "./times.ts"
import { unknownSkill } from "./unknownSkill.ts"
import { UsageInvalid } from "./usage.ts"

const limitDefault = 20

export const command = defineCommand({
  about:
    "Makes good slots of the past that got no run: missed, skipped, coalesced or superseded ones, and those from before the skill was adopted, as its present schedule names them. " +
    "Their runs start one after another behind what is under way. What a slot was settled as stays on record, and slots that have a run are left out: the rest is asked for by asking again. " +
    "TIME is 06:00 (the latest one), '2026-11-22 06:00', 2026-11-22T06:00:00Z or a run's id; slots at --from and at --to are among them.",
  words: { usage: "SKILL", min: 1, max: 1 },
  flags: {
    from: { type: "text", value: "TIME", about: "the first instant" },
    to: { type: "text", value: "TIME", about: "the last instant, at most now" },
    "dry-run": { type: "switch", about: "only list the slots and what would be done; works while the runtime is down" },
    limit: {
      type: "number",
      value: "N",
      min: 1,
      max: waitingMax,
      about: `how many runs at most, the oldest slots first (default: ${limitDefault})`
    },
    all: { type: "switch", about: `as many as may wait: ${waitingMax}` },
    why: { type: "text", value: "TEXT", about: "for the record" },
    ...shared
  },
  examples: [
    ["holdfast backfill daily-memory --from '2026-11-20 00:00' --to '2026-11-22 12:00' --dry-run", "what would be done"],
    ["holdfast backfill daily-memory --from '2026-11-20 00:00' --to '2026-11-22 12:00' --why 'the disk was full'", "does it"],
    ["holdfast backfill post-pipeline --from 06:00 --to 12:00 --all --json", "for programs"]
  ],
  run: ({ flags, words: [skill = ""], out }) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const fromMs = yield* needed("--from", flags.from, nowMs)
      const toMs = yield* needed("--to", flags.to, nowMs)
      if (flags.all && flags.limit !== undefined) return yield* Effect.fail(both)
      const limit = flags.all ? waitingMax : (flags.limit ?? limitDefault)
      const directory = yield* existingState(flags)
      if (flags["dry-run"]) {
        const { ledger } = yield* readState(directory)
        const known = [...ledger.skills.values()].flatMap(({ name, removed }) => (removed ? [] : [name]))
        if (!known.includes(skill)) return yield* unknownSkill(skill, known)
        show(yield* planBackfill(directory, ledger, skill, { fromMs, toMs, limit }), nowMs, out)
        return exit.ok
      }
      const question = { id: 1, do: "backfill", skill, fromMs, toMs, limit, by: user(), why: flags.why ?? "" } as const
      const done = (yield* ask(directory, question)) as Backfilled
      if (out.json) out.value({ skill, ...done })
      else {
        for (const run of done.runs) out.line(run)
        rest(done, done.runs.length, out.note)
      }
      return exit.ok
    }).pipe(Effect.provide(Disk.layerNode))
})

/** Each slot with its record and what would be done. */
const show = (plan: BackfillPlan, nowMs: number, out: Out): void => {
  const chosen = new Set(plan.chosen)
  const would = (slot: PastSlot) =>
    slot.barrier !== undefined ? `left out: ${barriers[slot.barrier]}` : chosen.has(slot) ? "run" : "left out: over the limit"
  if (out.json) {
    for (const slot of plan.slots)
      out.value({
        slot: iso(slot.slotMs),
        run: slot.run,
        record: slot.record ?? null,
        would: chosen.has(slot) ? "run" : "leaveOut",
        barrier: slot.barrier ?? null
      })
    return
  }
  if (plan.slots.length > 0)
    out.table([
      ["RUN", "SLOT", "ON RECORD", "WOULD BE"].map(out.paint.dim),
      ...plan.slots.map((slot) => [
        slot.run,
        clock(slot.slotMs, nowMs),
        slot.record === undefined ? "-" : `${slot.record.verdict}${slot.record.reason === "" ? "" : `: ${shown(slot.record.reason)}`}`,
        would(slot) === "run" ? out.paint.green("run") : out.paint.dim(would(slot))
      ])
    ])
  rest(leftOutOf(plan), plan.chosen.length, out.line)
}

/** What gets no run, counted. */
const rest = ({ leftOut, more }: Omit<Backfilled, "runs">, runs: number, say: (line: string) => void): void => {
  for (const [barrier, count] of Object.entries(leftOut)) say(`${count} left out: ${barriers[barrier as Barrier]}`)
  if (more > 0) say(`${more} more; ask again, or with --limit or --all`)
  if (runs === 0) say("no slot there is to get a run")
}

const needed = (flag: string, text: string | undefined, nowMs: number): Effect.Effect<number, UsageInvalid> => {
  const where = `holdfast backfill ${flag}`
  return text === undefined
    ? Effect.fail(new UsageInvalid({ code: "FLAG_MISSING", where, got: "nothing", want: "a time", fix: `say ${flag} TIME` }))
    : givenMoment(where, text, nowMs)
}

const both = new UsageInvalid({
  code: "FLAG_TWICE",
  where: "holdfast backfill",
  got: "--limit and --all",
  want: "one of them",
  fix: "keep one of them"
})
