/** One history of events for the state service and for tables of SQLite; after every start both have to say the same. */
import { Effect, Logger } from "effect"
import * as fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { Ledger, RunRecord } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import type { StateOptions } from "../../src/layers/StateStore.ts"
import { session } from "../contracts/state.ts"
import { SqliteModel } from "./sqlite.ts"

/** What one start does: appends, each of one to three events, and perhaps a checkpoint; it ends in order or is killed. */
export interface Life {
  readonly appends: ReadonlyArray<ReadonlyArray<JournalEvent>>
  readonly compacts: boolean
  readonly killed: boolean
}

/** Few names, so that events meet: also those of runs and skills that are not there, twice, and out of turn. */
const name = fc.constantFrom("a", "b", "c")
const run = fc.constantFrom("a@1", "a@2", "b@1", "b@1+manual-x", "c@9")
const instant = fc.integer({ min: 0, max: 9 }).map((n) => n * 1_000)
const text = fc.constantFrom("", "why", "é\n%")
const of = (type: JournalEvent["type"], fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ type: fc.constant(type), v: fc.constant(1), atMs: instant, ...fields }) as unknown as fc.Arbitrary<JournalEvent>
const count = fc.integer({ min: 1, max: 5 })
const attempt = fc.integer({ min: 1, max: 3 })
const schedule = fc.constantFrom(
  null,
  { _tag: "Every", everyMs: 1_000, anchorMs: 0 },
  { _tag: "At", atMs: 5_000 },
  { _tag: "Cron", expression: "* * * * *", zone: "UTC" }
)
const outcome = fc.constantFrom("success", "failed", "cancelled", "interrupted")
const report = fc.option(fc.record({ session: fc.constantFrom("main", "other"), text }))
const result = fc.constantFrom(1, null, "x", [1, { z: null }], { b: 1, a: [] })
const skillOf = (id: string) => id.split("@")[0]!

const event: fc.Arbitrary<JournalEvent> = fc.oneof(
  of("runtime.started", { epoch: count, pid: count, version: text }),
  of("runtime.stopped", { reason: text }),
  { arbitrary: of("skill.adopted", { skill: name, digest: text, schedule, from: instant }), weight: 4 },
  of("skill.removed", { skill: name }),
  of("skill.paused", { skill: name, by: text, why: text }),
  of("skill.resumed", { skill: name, by: text, why: text }),
  of("skill.quarantined", { skill: name, why: text }),
  of("skill.released", { skill: name, by: text }),
  of("slot.settled", {
    skill: name,
    slot: instant,
    through: instant,
    count,
    verdict: fc.constantFrom("coalesced", "skipped", "missed", "superseded"),
    reason: text
  }),
  {
    arbitrary: fc
      .tuple(run, of("run.claimed", { slot: instant, fence: count, digest: text, missed: count }))
      .map(([id, claimed]) => ({ ...claimed, run: id, skill: skillOf(id) }) as JournalEvent),
    weight: 6
  },
  { arbitrary: of("attempt.started", { run, attempt }), weight: 3 },
  of("attempt.spawned", { run, attempt, pid: count, startTime: text, bootId: text }),
  of("attempt.failed", { run, attempt, reason: text, retryAtMs: fc.option(instant) }),
  { arbitrary: of("step.started", { run, attempt, step: fc.constantFrom("one", "two") }), weight: 2 },
  { arbitrary: of("step.finished", { run, attempt, step: fc.constantFrom("one", "two"), result }), weight: 2 },
  of("run.parked", { run, reason: text }),
  of("run.released", { run, by: text }),
  {
    arbitrary: of("run.settled", {
      run,
      outcome,
      reason: text,
      startedAtMs: fc.option(instant),
      durationMs: count,
      fields: fc.constantFrom({}, { posts: 4, ok: true }),
      report
    }),
    weight: 4
  },
  of("entry.sent", { run, gatewayBootId: text }),
  of("entry.acknowledged", { run, how: fc.constantFrom("reply", "history") }),
  of("entry.parked", { run, reason: text }),
  of("mode.changed", { from: text, to: text, reason: text }),
  of("clock.jumped", { byMs: instant })
)

export const lives: fc.Arbitrary<ReadonlyArray<Life>> = fc.array(
  fc.record({
    appends: fc.array(fc.array(event, { minLength: 1, maxLength: 3 }), { maxLength: 30 }),
    compacts: fc.boolean(),
    killed: fc.boolean()
  }),
  { minLength: 1, maxLength: 4 }
)

const small: StateOptions = { reserveBytes: 64, segmentBytes: 1_500 }

/** Plays the lives on both; gives where they came apart. */
export const compared = async (history: ReadonlyArray<Life>): Promise<string | undefined> => {
  const model = new SqliteModel()
  let memory = Disk.memory()
  try {
    for (const [n, { appends, compacts, killed }] of history.entries()) {
      const wrong = await Effect.runPromise(
        session(
          "/state",
          (store) =>
            Effect.gen(function* () {
              const before = apart(store.ledger, model)
              if (before !== undefined) return `start ${n + 1}: ${before}`
              for (const events of appends) {
                yield* store.append(...events)
                for (const one of events) model.take(one)
              }
              if (compacts) yield* store.compact
              const after = apart(store.ledger, model)
              if (killed) memory = copied(memory)
              return after === undefined ? undefined : `life ${n + 1}: ${after}`
            }),
          small
        ).pipe(Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
      )
      if (wrong !== undefined) return wrong
    }
    return await Effect.runPromise(
      session("/state", (store) => Effect.sync(() => apart(store.ledger, model)), small).pipe(
        Effect.provide(memory.layer),
        Effect.provide(Logger.layer([]))
      )
    )
  } finally {
    model.close()
  }
}

/** The disk as a process leaves it that is killed now. */
const copied = (memory: ReturnType<typeof Disk.memory>) => {
  const copy = Disk.memory()
  for (const [path, bytes] of memory.files()) copy.put(path, bytes)
  return copy
}

const apart = (ledger: Ledger, model: SqliteModel): string | undefined => {
  const [ours, theirs] = [shape(ledger), model.picture()]
  return isDeepStrictEqual(ours, theirs) ? undefined : `the ledger has\n${JSON.stringify(ours)}\nand the tables\n${JSON.stringify(theirs)}`
}

/** A ledger as rows. */
const shape = (ledger: Ledger): unknown => {
  const { epoch, stopped, fence, mode, acknowledged, settled, slots } = ledger
  const runs = [...ledger.runs.values()]
  const byName = <A>(rows: ReadonlyArray<A>, key: (row: A) => string) => [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  return {
    totals: { epoch, stopped: Number(stopped), fence, mode, acknowledged, settled, ...slots },
    skills: byName([...ledger.skills.values()], (skill) => skill.name).map((skill) => ({
      name: skill.name,
      digest: skill.digest,
      schedule: skill.schedule === undefined ? null : JSON.stringify(skill.schedule),
      owed_from: skill.owedFromMs,
      settled_through: skill.settledThroughMs,
      removed: Number(skill.removed),
      paused: skill.paused === undefined ? null : JSON.stringify(skill.paused),
      quarantined: skill.quarantined ?? null,
      last: skill.last?.run ?? null,
      last_success: skill.lastSuccessAtMs ?? null,
      failures: skill.failures
    })),
    runs: [...runs.filter(({ phase }) => phase !== "settled"), ...runs.filter(({ phase }) => phase === "settled")].map(row),
    steps: byName(
      runs.flatMap(({ run, steps }) =>
        [...steps].map(([name, step]) => ({ run, name, result: step === "started" ? null : JSON.stringify(step.result) }))
      ),
      ({ run, name }) => `${run} ${name}`
    ),
    entries: [...ledger.outbox.values()].map(({ run, session, text, settledAtMs, sent }) => ({
      run,
      session,
      text,
      settled: settledAtMs,
      sent: sent === undefined ? null : JSON.stringify([sent.atMs, sent.gatewayBootId])
    })),
    parked: byName(
      [...ledger.parked].map(([run, reason]) => ({ run, reason })),
      ({ run }) => run
    )
  }
}

const row = (run: RunRecord): unknown => {
  const { process, settled } = run
  return {
    id: run.run,
    skill: run.skill,
    slot: run.slotAtMs,
    fence: run.fence,
    digest: run.digest,
    missed: run.missed,
    claimed: run.claimedAtMs,
    phase: run.phase,
    attempts: run.attempts,
    failed: run.failedAttempts,
    retry: run.retryAtMs ?? null,
    parked: run.parked ?? null,
    process: process === undefined ? null : `${process.pid} ${process.startTime} ${process.bootId}`,
    started: run.startedAtMs ?? null,
    settled:
      settled === undefined
        ? null
        : JSON.stringify([settled.outcome, settled.reason, settled.startedAtMs, settled.durationMs, settled.fields, settled.report])
  }
}
