import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold } from "../../src/domain/Ledger.ts"
import { runId } from "../../src/domain/Run.ts"
import type { Schedule } from "../../src/domain/Schedule.ts"
import { type NoStory, type SlotStory, slotStory } from "../../src/domain/SlotStory.ts"

const t0 = Date.UTC(2026, 10, 22, 6)
const s = (seconds: number) => t0 + seconds * 1_000
const everyTen: Schedule = { _tag: "Every", everyMs: 10_000, anchorMs: 0 }
const bySkill = { skill: "job" }

type Told = JournalEvent extends infer E ? (E extends JournalEvent ? Omit<E, "v"> : never) : never
const journal = (...told: ReadonlyArray<Told>): ReadonlyArray<JournalEvent> => told.map((event) => ({ v: 1, ...event }))
const started = (at: number, epoch = 1): Told => ({ type: "runtime.started", atMs: s(at), epoch, pid: 1, version: "0" })
const stopped = (at: number): Told => ({ type: "runtime.stopped", atMs: s(at), reason: "asked to" })
const mode = (at: number, to: string): Told => ({ type: "mode.changed", atMs: s(at), from: "starting", to, reason: "session refused" })
const adopted = (at: number, schedule: Schedule | null = everyTen): Told => ({
  type: "skill.adopted",
  atMs: s(at),
  ...bySkill,
  digest: "d",
  schedule,
  from: s(at)
})
const claimed = (at: number, slot = at, missed = 0): Told => ({
  type: "run.claimed",
  atMs: s(at),
  ...bySkill,
  run: runId({ skill: "job", slotAtMs: s(slot) }),
  slot: s(slot),
  fence: 1,
  digest: "d",
  missed
})
const settled = (at: number, slot: number, through: number, verdict: "skipped" | "missed" | "coalesced", run?: string): Told => ({
  type: "slot.settled",
  atMs: s(at),
  ...bySkill,
  slot: s(slot),
  through: s(through),
  count: (through - slot) / 10 + 1,
  verdict,
  reason: "because",
  ...(run === undefined ? {} : { run })
})
const base = [started(0), adopted(1), mode(1, "degraded.sessionLost")]

/** Asked for the slot at or before second `at`, at second `now`. */
const asked = (told: ReadonlyArray<Told>, at: number, now = 1_000): SlotStory | NoStory => {
  const events = journal(...told)
  return slotStory(events, { skill: "job", atMs: s(at), nowMs: s(now), record: fold(events).skills.get("job") })
}

/** A run that was asked for at second `at`. */
const askedFor = (at: number, slot: number): Told => Object.assign(claimed(at, slot), { by: "ops", why: "once more" })

describe("the story of a slot that got its run afterwards", () => {
  it("keeps what settled it, and names the run and who asked for it", () => {
    const run = runId({ skill: "job", slotAtMs: s(20) })
    const told = [...base, settled(31, 10, 30, "missed"), askedFor(50, 20)]
    assert.deepInclude(asked(told, 29), { slotMs: s(20), verdict: "missed", run, claimed: undefined, waiting: undefined })
    assert.deepInclude((asked(told, 29) as SlotStory).backfilled, { by: "ops", atMs: s(50) })
    assert.deepInclude(asked(told, 19), { slotMs: s(10), backfilled: undefined, run: undefined })
    const coalesced = [...base, settled(31, 10, 20, "coalesced", "job@into"), askedFor(50, 20)]
    assert.deepInclude(asked(coalesced, 20), { verdict: "coalesced", run })
  })

  it("is told of slots that nobody owed, under the schedule in which they were asked for", () => {
    const everyFive: Schedule = { _tag: "Every", everyMs: 5_000, anchorMs: 0 }
    const told = [started(0), adopted(41), claimed(50), adopted(60, everyFive), askedFor(70, 20), askedFor(71, 55)]
    const untold = { verdict: undefined, waiting: undefined }
    assert.deepInclude(asked(told, 25), { slotMs: s(20), schedule: everyFive, nextMs: s(25), adoptedFromMs: s(60), ...untold })
    assert.deepInclude(asked(told, 59), { slotMs: s(55), schedule: everyFive, ...untold })
    assert.deepInclude(asked(told, 54), { slotMs: s(50), schedule: everyTen, verdict: "run", backfilled: undefined })
    assert.deepInclude(asked(told, 19), { _tag: "NothingOwed" })
  })
})

describe("the story of a slot", () => {
  it("names its run, and the mode of the runtime at its instant", () => {
    const run = runId({ skill: "job", slotAtMs: s(10) })
    assert.deepInclude(asked([...base, claimed(10)], 19), {
      slotMs: s(10),
      nextMs: s(20),
      verdict: "run",
      run,
      mode: { mode: "degraded.sessionLost", reason: "session refused" },
      startedAtMs: undefined,
      waiting: undefined
    })
  })

  it("is that of the range it was settled in, and of the run that did its work", () => {
    const into = runId({ skill: "job", slotAtMs: s(40) })
    const told = [...base, claimed(10), settled(45, 20, 30, "coalesced", into), claimed(45, 40, 2)]
    assert.deepInclude(asked(told, 30), { slotMs: s(30), verdict: "coalesced", run: into })
    assert.deepInclude(asked(told, 39), { slotMs: s(30), verdict: "coalesced" })
    assert.deepInclude(asked(told, 40), { slotMs: s(40), verdict: "run", run: into })
  })

  it("says which start settled it where nobody was there at its instant", () => {
    const told = [...base, claimed(10), stopped(12), started(55, 2), settled(55, 20, 40, "missed")]
    assert.deepInclude(asked(told, 30), { verdict: "missed", startedAtMs: s(55), mode: undefined })
    assert.deepInclude(asked(told, 10), { verdict: "run", startedAtMs: undefined })
  })

  it.each([
    ["is to come", [...base], 20, 15, { _tag: "Due" }],
    [
      "is in a pause",
      [...base, { type: "skill.paused", atMs: s(5), ...bySkill, by: "ops", why: "no power" }],
      20,
      25,
      { _tag: "Paused", by: "ops", why: "no power" }
    ],
    [
      "is of a skill put aside",
      [...base, { type: "skill.quarantined", atMs: s(5), ...bySkill, why: "crashes" }],
      20,
      25,
      { _tag: "Quarantined", why: "crashes", probeAtMs: undefined }
    ],
    ["waits for a start", [...base, stopped(12)], 20, 25, { _tag: "Down" }],
    ["waits for the runtime", [...base], 20, 25, { _tag: "Held" }]
  ] as const)("says why it has no record where it %s", (_, told, at, now, waiting) => {
    const story = asked(told, at, now)
    assert.deepInclude(story, { slotMs: s(20), verdict: undefined, waiting })
  })

  it("speaks of the schedule that was adopted at that time, and of no other", () => {
    const everyMinute: Schedule = { _tag: "Every", everyMs: 60_000, anchorMs: 0 }
    const told = [...base, claimed(10), adopted(15, everyMinute), claimed(60)]
    assert.deepInclude(asked(told, 14), { slotMs: s(10), schedule: everyTen })
    assert.deepInclude(asked(told, 59), { slotMs: s(10), schedule: everyTen }, "no slot of the new one yet")
    assert.deepInclude(asked(told, 60), { slotMs: s(60), schedule: everyMinute, adoptedFromMs: s(15) })
  })

  it("says where none was owed, and which is the first", () => {
    assert.deepStrictEqual(asked(base, 5), { _tag: "NothingOwed", adoptedFromMs: s(1), firstMs: s(10) })
    assert.deepStrictEqual(asked(base, -60), { _tag: "NothingOwed", adoptedFromMs: undefined, firstMs: s(10) })
    assert.deepStrictEqual(asked([started(0), adopted(1, null)], 50), { _tag: "NothingOwed", adoptedFromMs: undefined, firstMs: undefined })
    assert.deepStrictEqual(asked([started(0)], 50), { _tag: "Unknown" })
  })

  it("knows that a record went with the history, from what the ledger still says", () => {
    const events = journal(...base, claimed(10), claimed(20), claimed(30))
    const record = fold(events).skills.get("job")
    const left = events.slice(-1)
    assert.deepInclude(slotStory(left, { skill: "job", atMs: s(20), nowMs: s(50), record }), { slotMs: s(20), waiting: { _tag: "Gone" } })
    assert.deepInclude(slotStory(left, { skill: "job", atMs: s(30), nowMs: s(50), record }), { slotMs: s(30), verdict: "run" })
  })
})
