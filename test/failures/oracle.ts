/** One history of events for the state service and for tables of SQLite; after every start both have to say the same. */
import { Effect, Logger } from "effect"
import * as fc from "fast-check"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { Ledger, RunRecord } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { diskNode } from "../../src/layers/DiskNode.ts"
import { readState, type StateOptions } from "../../src/layers/StateStore.ts"
import type { Image } from "../../src/testing/disk/Durability.ts"
import { simulatedDisk } from "../../src/testing/disk/SimulatedDisk.ts"
import { session } from "../contracts/state.ts"
import { imageOf } from "./crashStates.ts"
import { mulberry32 } from "./mulberry32.ts"
import { SqliteModel } from "./sqlite.ts"

export interface History {
  readonly lives: ReadonlyArray<Life>
  readonly history: NonNullable<StateOptions["history"]>
}

/** What one start does: appends, each of one to three events, and perhaps a checkpoint. */
export interface Life {
  readonly appends: ReadonlyArray<ReadonlyArray<JournalEvent>>
  readonly compacts: boolean
  /** Killed at its end, or with the power cut at some change of the disk: `moment`; `seed` says what is left of the rest. */
  readonly end: "in order" | "killed" | "cut"
  readonly moment: number
  readonly seed: number
}

/** Few names, so that events meet. */
const name = fc.constantFrom("a", "b", "c")
const run = fc
  .tuple(name, fc.integer({ min: 1, max: 5 }), fc.constantFrom("", "", "", "+manual-x"))
  .map(([skill, slot, manual]) => `${skill}@${slot}${manual}`)
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
const step = fc.constantFrom("one", "two")
const skillOf = (id: string) => id.split("@")[0]!

const adopted = of("skill.adopted", { skill: name, digest: text, schedule, from: instant })
const ofSkill = fc.oneof(
  { arbitrary: adopted, weight: 2 },
  of("skill.removed", { skill: name }),
  { arbitrary: of("skill.paused", { skill: name, by: text, why: text }), weight: 2 },
  { arbitrary: of("skill.resumed", { skill: name, by: text, why: text }), weight: 2 },
  { arbitrary: of("skill.quarantined", { skill: name, why: text }), weight: 2 },
  { arbitrary: of("skill.released", { skill: name, by: text }), weight: 2 },
  of("skill.approved", { skill: name, digest: text, by: text }),
  of("slot.settled", {
    skill: name,
    slot: instant,
    through: instant,
    count,
    verdict: fc.constantFrom("coalesced", "skipped", "missed", "superseded"),
    reason: text
  })
)
const claimed = fc
  .tuple(
    run,
    of("run.claimed", { slot: instant, fence: count, digest: text, missed: count }),
    fc.constantFrom({}, {}, { by: "ops", why: "late" })
  )
  .map(([id, event, asked]) => ({ ...event, ...asked, run: id, skill: skillOf(id) }) as JournalEvent)
/** Some of them a day apart. */
const prompted = of("prompt.started", { run, skill: name, attempt, atMs: fc.constantFrom(0, 1_000, 86_399_999, 86_400_000, 86_401_000) })
const attempted = fc.oneof(
  { arbitrary: of("attempt.started", { run, attempt }), weight: 2 },
  of("attempt.spawned", { run, attempt, pid: count, startTime: text, bootId: text }),
  of("attempt.adopted", { run, attempt }),
  { arbitrary: prompted, weight: 2 },
  { arbitrary: of("step.started", { run, attempt, step }), weight: 2 },
  { arbitrary: of("step.finished", { run, attempt, step, result }), weight: 2 },
  of("attempt.failed", { run, attempt, reason: text, retryAtMs: fc.option(instant) }),
  of("run.parked", { run, reason: text }),
  of("run.released", { run, by: text })
)
const settled = of("run.settled", {
  run,
  outcome,
  reason: text,
  startedAtMs: fc.option(instant),
  durationMs: count,
  fields: fc.constantFrom({}, { posts: 4, ok: true }),
  report
})
const delivered = fc.oneof(
  { arbitrary: of("entry.sent", { run, gatewayBootId: text }), weight: 2 },
  of("entry.acknowledged", { run, how: fc.constantFrom("reply", "history") }),
  { arbitrary: of("entry.parked", { run, reason: text }), weight: 2 },
  of("entry.collapsed", { run, into: run }),
  of("entry.redriven", { run, by: text }),
  of("entry.dropped", { run, by: text })
)
const ofRuntime = fc.oneof(
  of("runtime.started", { epoch: count, pid: count, version: text }),
  of("runtime.stopped", { reason: text }),
  of("runtime.stalled", { forMs: count }),
  of("mode.changed", { from: text, to: text, reason: text }),
  of("entries.digested", { digest: run.map((id) => `digest+${id}`), session: text, text, runs: fc.array(run, { maxLength: 3 }) }),
  of("clock.jumped", { byMs: instant })
)

/** A run from its claim to its report, or as far as it comes. Parts may be missing and twice, never out of turn. */
const runStory = fc
  .tuple(run, claimed, fc.array(attempted, { maxLength: 8 }), fc.option(settled, { freq: 4 }), fc.array(delivered, { maxLength: 3 }))
  .map(([id, first, middle, end, last]) =>
    [first, ...middle, ...(end === null ? [] : [end, ...last])].map((event) => ({
      ...event,
      run: id,
      ...(event.type === "run.claimed" ? { skill: skillOf(id) } : {})
    }))
  )
/** A skill that is adopted, and what becomes of it. */
const skillStory = fc
  .tuple(name, adopted, fc.array(ofSkill, { maxLength: 6 }))
  .map(([skill, first, rest]) => [first, ...rest].map((event) => ({ ...event, skill })))
/** Anything, also of runs and skills that are not there, twice, and out of turn. */
const noise = fc.oneof(ofSkill, claimed, attempted, settled, delivered, ofRuntime).map((event) => [event])
const story = fc.oneof(
  { arbitrary: runStory, weight: 5 },
  { arbitrary: skillStory, weight: 3 },
  { arbitrary: noise, weight: 4 }
) as fc.Arbitrary<ReadonlyArray<JournalEvent>>

/** Stories told across each other, in appends of one to three events, over some starts. */
export const histories: fc.Arbitrary<History> = fc
  .record({
    stories: fc.array(story, { minLength: 1, maxLength: 14 }),
    turns: fc.array(fc.nat(13), { minLength: 1, maxLength: 20 }),
    sizes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
    ends: fc.array(
      fc.record({
        appends: fc.nat(24),
        compacts: fc.boolean(),
        end: fc.constantFrom<Life["end"]>("in order", "killed", "cut"),
        moment: fc.integer({ min: 1, max: 90 }),
        seed: fc.nat()
      }),
      { minLength: 1, maxLength: 4 }
    ),
    history: fc.constantFrom({ runs: 2, days: 1_000_000 }, { runs: 1_000, days: 90 })
  })
  .map(({ stories, turns, sizes, ends, history }) => {
    const appends = inAppends(interleaved(stories, turns), sizes)
    const lives = ends.map(({ appends: many, ...end }) => ({ ...end, appends: appends.splice(0, many) }))
    return { history, lives: [...lives, { compacts: true, end: "in order", moment: 0, seed: 0, appends }] }
  })

/** So many runs that settle, a hundred to an append, while three do not; then the same ids once more. */
export const longHistory = (runs: number): History => {
  const id = (n: number) => `a@${n}`
  const claim = (n: number): JournalEvent => ({
    type: "run.claimed",
    v: 1,
    atMs: n,
    run: id(n),
    skill: "a",
    slot: n,
    fence: n,
    digest: "d",
    missed: 0
  })
  const settle = (n: number): JournalEvent => ({
    type: "run.settled",
    v: 1,
    atMs: n,
    run: id(n),
    outcome: "success",
    reason: "",
    startedAtMs: n,
    durationMs: 1,
    fields: {},
    report: null
  })
  const numbers = Array.from({ length: runs }, (_, n) => n + 10)
  const events = [...[1, 2, 3].map(claim), ...numbers.flatMap((n) => [claim(n), settle(n)]), ...numbers.slice(0, 50).map(claim)]
  const appends = inAppends(events, [200])
  const half = appends.splice(0, appends.length >> 1)
  const life = { compacts: true, moment: 0, seed: 0 }
  return {
    history: { runs: 100_000, days: 1_000_000 },
    lives: [
      { ...life, end: "killed", appends: half },
      { ...life, end: "in order", appends }
    ]
  }
}

const interleaved = (stories: ReadonlyArray<ReadonlyArray<JournalEvent>>, turns: ReadonlyArray<number>): Array<JournalEvent> => {
  let left = stories.map((events) => [...events])
  const events: Array<JournalEvent> = []
  for (let n = 0; left.length > 0; n++) {
    events.push(left[turns[n % turns.length]! % left.length]!.shift()!)
    left = left.filter(({ length }) => length > 0)
  }
  return events
}

const inAppends = (events: Array<JournalEvent>, sizes: ReadonlyArray<number>): Array<ReadonlyArray<JournalEvent>> => {
  const appends: Array<ReadonlyArray<JournalEvent>> = []
  for (let n = 0; events.length > 0; n++) appends.push(events.splice(0, sizes[n % sizes.length]))
  return appends
}

/** What histories are played on. */
export interface Ground {
  readonly disk: () => Disk["Service"]
  readonly directory: () => string
  /** One life begins. If it is to be cut, `cut` is called at that moment. */
  readonly begin: (life: Life, cut: () => void) => void
  /** The process is gone at this moment, and the machine goes on. */
  readonly kill: () => void
  /** The life is over: the next one begins with what it left. */
  readonly end: () => void
  readonly remove: () => void
}

/** Of a power cut it keeps what that may leave, by the rules of `Durability`. */
export const simulated = (): Ground => {
  let left: Image | undefined
  let changed = () => {}
  let sim = simulatedDisk(undefined, () => changed())
  return {
    disk: () => sim.disk,
    directory: () => "/state",
    begin: ({ end, moment, seed }, cut) => {
      let changes = 0
      const random = mulberry32(seed)
      changed = () => {
        changes += 1
        if (end !== "cut" || changes !== moment) return
        const images = [...sim.durability.images(12, random)]
        left = images[Math.floor(random() * images.length)]
        cut()
      }
    },
    kill: () => {
      left = imageOf(sim.memory.files())
    },
    end: () => {
      changed = () => {}
      if (left !== undefined) sim = simulatedDisk(left, () => changed())
      left = undefined
    },
    remove: () => {}
  }
}

/** The disk of this machine, where a kill is a copy of the directory, and nobody cuts the power. */
export const real = (): Ground => {
  const base = mkdtempSync(join(tmpdir(), "holdfast-oracle-"))
  let [now, next] = [1, 1]
  return {
    disk: () => ({ ...diskNode }),
    directory: () => join(base, String(now)),
    begin: () => {},
    kill: () => {
      next = now + 1
      cpSync(join(base, String(now)), join(base, String(next)), { recursive: true, filter: (path) => basename(path) !== "lock" })
    },
    end: () => {
      now = next
    },
    remove: () => rmSync(base, { recursive: true, force: true })
  }
}

/** What came of a history, to see that it was worth telling. */
export interface Told {
  starts: number
  appends: number
  cuts: number
  /** Cuts after which an append was there that nobody had been told of, or was not. */
  kept: number
  lost: number
  /** Histories at whose end the beginning of the journal was let go. */
  pruned: number
}

/** Plays a history on both; gives where they came apart. */
export const compared = async (
  { lives, history }: History,
  ground: Ground = simulated(),
  told: Told = { starts: 0, appends: 0, cuts: 0, kept: 0, lost: 0, pruned: 0 }
): Promise<string | undefined> => {
  const options: StateOptions = { reserveBytes: 64, segmentBytes: 1_500, history }
  const played = <A>(work: Effect.Effect<A, unknown, Disk>) =>
    Effect.runPromise(work.pipe(Effect.provideService(Disk, ground.disk()), Effect.provide(Logger.layer([]))))
  let recorded: Array<ReadonlyArray<JournalEvent>> = []
  let model = tablesOf(recorded)
  try {
    for (const [n, life] of lives.entries()) {
      const before = recorded.length
      let cutAt: { readonly acknowledged: number; readonly submitted: number } | undefined
      let [acknowledged, submitted] = [before, before]
      ground.begin(life, () => {
        cutAt = { acknowledged, submitted }
      })
      told.starts += 1
      const wrong = await played(
        session(
          ground.directory(),
          (store) =>
            Effect.gen(function* () {
              const atStart = apart(store.ledger, model)
              if (atStart !== undefined) return `start ${n + 1}: ${atStart}`
              for (const events of life.appends) {
                submitted += 1
                yield* store.append(...events)
                acknowledged += 1
                told.appends += 1
                recorded.push(events)
                for (const one of events) model.take(one)
              }
              if (life.compacts) yield* store.compact
              const read = apart((yield* readState(ground.directory())).ledger, model)
              if (read !== undefined) return `a reader beside start ${n + 1}: ${read}`
              if (life.end === "killed") ground.kill()
              const after = apart(store.ledger, model)
              return after === undefined ? undefined : `life ${n + 1}: ${after}`
            }),
          options
        )
      )
      if (wrong !== undefined) return wrong
      ground.end()
      if (cutAt === undefined) continue

      // What the cut met in the middle may be there or not; from here on it is what it is.
      told.cuts += 1
      const { ledger } = await played(readState(ground.directory()))
      const there = [cutAt.submitted, cutAt.acknowledged].find((many) => apart(ledger, tablesOf(recorded.slice(0, many))) === undefined)
      if (there === undefined) {
        return `after the cut of life ${n + 1}, ${cutAt.acknowledged} of ${cutAt.submitted} acknowledged: ${apart(ledger, tablesOf(recorded.slice(0, cutAt.acknowledged)))}`
      }
      if (cutAt.submitted > cutAt.acknowledged) told[there === cutAt.submitted ? "kept" : "lost"] += 1
      recorded = recorded.slice(0, there)
      model.close()
      model = tablesOf(recorded)
    }
    const names = await played(Effect.flatMap(Disk, (disk) => disk.list(join(ground.directory(), "journal"))))
    if (!names.includes("0000000001.log")) told.pruned += 1
    return await played(session(ground.directory(), (store) => Effect.sync(() => apart(store.ledger, model)), options))
  } finally {
    model.close()
  }
}

const tablesOf = (appends: ReadonlyArray<ReadonlyArray<JournalEvent>>): SqliteModel => {
  const model = new SqliteModel()
  for (const one of appends.flat()) model.take(one)
  return model
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
    prompts: byName([...ledger.skills.values()], (skill) => skill.name).flatMap(({ name, promptsAtMs }) =>
      promptsAtMs.map((at) => ({ skill: name, at }))
    ),
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
    approvals: byName(
      [...ledger.approvals].map(([skill, { digest, by, atMs }]) => ({ skill, digest, by, at: atMs })),
      ({ skill }) => skill
    ),
    parked: byName(
      [...ledger.parked].map(([run, { reason }]) => ({ run, reason })),
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
    asked: run.by ?? null,
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
