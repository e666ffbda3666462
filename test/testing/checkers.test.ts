import { describe, expect, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { encodeLine, hex } from "../../src/domain/JournalLine.ts"
import { label } from "../../src/domain/Outbox.ts"
import { runId } from "../../src/domain/Run.ts"
import {
  checkRuns,
  checkSlots,
  checkSteps,
  checkTranscript,
  owedSlots,
  readEffects,
  readJournal,
  type SkillEffect,
  type TranscriptRow,
  unfinishedRuns,
  type Violation
} from "../../src/testing/checkers/index.ts"

const t0 = Date.UTC(2026, 10, 22, 6)
const second = 1_000
const at = (seconds: number) => t0 + seconds * second
const beat = (seconds: number) => runId({ skill: "beat", slotAtMs: at(seconds) })
const everySecond = { _tag: "Every", everyMs: second, anchorMs: 0 } as const

type New = JournalEvent extends infer E ? (E extends JournalEvent ? Omit<E, "v" | "atMs"> & { readonly atMs?: number } : never) : never
const events = (...given: ReadonlyArray<New>): ReadonlyArray<JournalEvent> => given.map((event) => ({ v: 1, atMs: t0, ...event }))

const started = (epoch = 1, seconds = 0): New => ({ type: "runtime.started", epoch, pid: 1, version: "0", atMs: at(seconds) })
const adopted = (seconds = 0, schedule: object | null = everySecond): New =>
  ({ type: "skill.adopted", skill: "beat", digest: "d", schedule, from: at(seconds) }) as New
let fence = 0
const claimed = (seconds: number, change: object = {}): New => ({
  type: "run.claimed",
  run: beat(seconds),
  skill: "beat",
  slot: at(seconds),
  fence: ++fence,
  digest: "d",
  missed: 0,
  ...change
})
const settledSlots = (from: number, through: number, count: number): New => ({
  type: "slot.settled",
  skill: "beat",
  slot: at(from),
  through: at(through),
  count,
  verdict: "missed",
  reason: ""
})
const goesOn = (seconds: number, n = 1): New => ({ type: "attempt.adopted", run: beat(seconds), attempt: n })
const attempt = (seconds: number, n = 1): New => ({ type: "attempt.started", run: beat(seconds), attempt: n })
const failed = (seconds: number, n = 1): New => ({ type: "attempt.failed", run: beat(seconds), attempt: n, reason: "", retryAtMs: null })
const step = (type: "step.started" | "step.finished", name: string, n = 1): New =>
  ({ type, run: beat(1), attempt: n, step: name, ...(type === "step.finished" ? { result: null } : {}) }) as New
const settled = (seconds: number, change: object = {}): New => ({
  type: "run.settled",
  run: beat(seconds),
  outcome: "success",
  reason: "",
  startedAtMs: null,
  durationMs: 0,
  fields: {},
  report: { session: "main", text: "done" },
  atMs: at(seconds),
  ...change
})

const found = (violations: ReadonlyArray<Violation>) => violations.map(({ rule, subject }) => `${rule} ${subject}`)

describe("checkSlots", () => {
  it("finds nothing wrong where each owed slot has one record, whatever its verdict", () => {
    const history = events(started(), adopted(), claimed(1), settledSlots(2, 4, 3), claimed(5))
    expect(checkSlots(history, at(5))).toEqual([])
    expect(owedSlots(history, at(1), at(5)).map(({ records }) => records)).toEqual([["missed"], ["missed"], ["missed"], ["run"]])
  })

  it.each<readonly [name: string, history: () => ReadonlyArray<JournalEvent>, says: ReadonlyArray<string>]>([
    ["a slot without a record in the middle", () => events(adopted(), claimed(1), claimed(3)), [`slot.lost ${beat(2)}`]],
    ["the last slot without a record", () => events(adopted(), claimed(1), claimed(2)), [`slot.lost ${beat(3)}`]],
    ["a slot that was claimed twice", () => events(adopted(), claimed(1), claimed(2), claimed(2), claimed(3)), [`slot.doubled ${beat(2)}`]],
    [
      "a slot that ran and is in a range of missed ones",
      () => events(adopted(), claimed(1), settledSlots(1, 3, 3)),
      [`slot.doubled ${beat(1)}`]
    ],
    ["a range that says too few", () => events(adopted(), settledSlots(1, 3, 2)), [`slot.miscounted ${beat(1)}`]],
    ["a record of no slot", () => events(adopted(), claimed(1), claimed(1.5), claimed(2), claimed(3)), [`slot.unowed ${beat(1.5)}`]],
    [
      "a record from before the skill was adopted",
      () => events(adopted(1), claimed(1), claimed(0), claimed(2), claimed(3)),
      [`slot.unowed ${beat(0)}`]
    ],
    ["a record of a skill that nobody adopted", () => events(claimed(1)), [`slot.unowed ${beat(1)}`]],
    [
      "slots under the schedule that was replaced",
      () => events(adopted(), claimed(1), adopted(3, { ...everySecond, everyMs: 60_000 })),
      [`slot.lost ${beat(2)}`, `slot.lost ${beat(3)}`]
    ],
    [
      "slots before the skill was removed",
      () => events(started(), adopted(), claimed(1), started(2, 2), { type: "skill.removed", skill: "beat", atMs: at(2) }),
      [`slot.lost ${beat(2)}`]
    ]
  ])("finds %s", (_, history, says) => {
    expect(found(checkSlots(history(), at(3)))).toEqual(says)
  })

  it("owes nothing before the first adoption, after a removal, for runs by hand, and while a skill is set aside", () => {
    expect(checkSlots(events(started(), adopted(2.5), claimed(3)), at(3))).toEqual([])
    expect(checkSlots(events(started(), adopted(), claimed(1), started(2, 1.5), { type: "skill.removed", skill: "beat" }), at(9))).toEqual(
      []
    )
    const manual = claimed(1.2, { run: `${beat(1.2)}+manual-1` })
    expect(checkSlots(events(started(), adopted(), claimed(1), manual), at(1))).toEqual([])
    const aside = events(started(), adopted(), claimed(1), { type: "skill.quarantined", skill: "beat", why: "" })
    expect(checkSlots(aside, at(3))).toEqual([])
    expect(found(checkSlots([...aside, ...events({ type: "skill.released", skill: "beat", by: "" })], at(2)))).toEqual([
      `slot.lost ${beat(2)}`
    ])
  })

  it("takes a run that was asked for beside whatever settled its slot, also in a pause and from before the adoption, and no second one", () => {
    const asked = (seconds: number) => claimed(seconds, { by: "ops" })
    const paused: New = { type: "skill.paused", skill: "beat", by: "", why: "" }
    const history = [started(), adopted(1.5), claimed(2), settledSlots(3, 4, 2), paused, asked(3), asked(1)]
    expect(checkSlots(events(...history), at(4))).toEqual([])
    const twice = found(checkSlots(events(...history, asked(3), asked(2), asked(1.2)), at(4)))
    expect(twice).toEqual([`slot.unowed ${beat(1.2)}`, `slot.doubled ${beat(3)}`, `slot.doubled ${beat(2)}`])
    expect(found(checkSlots(events(started(), adopted(1.5), claimed(2), asked(3)), at(3)))).toEqual([`slot.lost ${beat(3)}`])
  })

  it("goes on where the same schedule is adopted again for other work", () => {
    expect(checkSlots(events(adopted(), claimed(1), { ...adopted(), digest: "e" } as New, claimed(2)), at(2))).toEqual([])
  })
})

describe("checkRuns", () => {
  it("finds nothing wrong with a retry, and with an attempt that a death cut short", () => {
    const history = events(
      started(),
      claimed(1),
      attempt(1),
      failed(1),
      attempt(1, 2),
      settled(1),
      claimed(2),
      attempt(2),
      started(2),
      attempt(2, 2),
      started(3),
      goesOn(2, 2),
      settled(2)
    )
    expect(checkRuns(history)).toEqual([])
    expect(unfinishedRuns(history, at(2))).toEqual([])
    expect(unfinishedRuns(history.slice(0, -1), at(2))).toEqual([beat(2)])
    expect(unfinishedRuns(history.slice(0, -1), at(1))).toEqual([])
  })

  it.each<readonly [name: string, history: () => ReadonlyArray<JournalEvent>, says: string]>([
    ["a run that was claimed twice", () => events(claimed(1), claimed(1)), `run.doubled ${beat(1)}`],
    ["a run that was settled twice", () => events(claimed(1), attempt(1), settled(1), settled(1)), `run.doubled ${beat(1)}`],
    [
      "a run that was tried again after it was settled",
      () => events(claimed(1), attempt(1), settled(1), started(2), attempt(1, 2)),
      `run.afterEnd ${beat(1)}`
    ],
    ["work that nobody had claimed", () => events(attempt(1)), `run.unclaimed ${beat(1)}`],
    ["an attempt that was left out", () => events(claimed(1), attempt(1, 2)), `attempt.order ${beat(1)}`],
    ["two attempts at a time", () => events(claimed(1), attempt(1), attempt(1, 2)), `attempt.overlap ${beat(1)}`],
    [
      "an attempt that is adopted and not the latest",
      () => events(started(), claimed(1), attempt(1), started(2), goesOn(1, 2)),
      `attempt.order ${beat(1)}`
    ],
    ["an attempt that is adopted from this very runtime", () => events(claimed(1), attempt(1), goesOn(1)), `attempt.overlap ${beat(1)}`],
    [
      "an attempt beside one that was adopted",
      () => events(claimed(1), attempt(1), started(2), goesOn(1), attempt(1, 2)),
      `attempt.overlap ${beat(1)}`
    ],
    ["a fence that was given before", () => events(claimed(1), claimed(2, { fence })), `run.fence ${beat(2)}`],
    ["a run of another slot's name", () => events(claimed(1, { slot: at(2) })), `run.misnamed ${beat(1)}`]
  ])("finds %s", (_, history, says) => {
    expect(found(checkRuns(history()))).toEqual([says])
  })
})

describe("checkSteps", () => {
  const effect = (name: string | undefined, n = 1, run = beat(1)): SkillEffect => ({
    run,
    slot: "",
    attempt: n,
    startedAtMs: t0,
    step: name
  })
  const twice = events(
    claimed(1),
    attempt(1),
    step("step.started", "a"),
    step("step.finished", "a"),
    step("step.started", "b"),
    started(2),
    attempt(1, 2),
    step("step.started", "b", 2),
    step("step.finished", "b", 2),
    settled(1)
  )
  const done = [effect("a"), effect("b", 2), effect(undefined, 2)]

  it("finds nothing wrong where a finished step is not done again, and one that a death cut short is", () => {
    expect(checkSteps(twice, done)).toEqual([])
    expect(checkSteps(twice, [...done, effect("b", 1)])).toEqual([])
  })

  it("expects nothing of skills that keep no book", () => {
    expect(checkSteps(twice, [])).toEqual([])
  })

  it.each<readonly [name: string, effects: ReadonlyArray<SkillEffect>, says: string]>([
    ["a step that was done again after its result was durable", [...done, effect("a", 2)], `step.repeated ${beat(1)} a`],
    ["a step that one attempt did twice", [...done, effect("b", 2)], `effect.doubled ${beat(1)} b`],
    ["work that one attempt did twice", [...done, effect(undefined, 2)], `effect.doubled ${beat(1)}`],
    ["work of an attempt that is not on record", [...done, effect(undefined, 3)], `effect.unrecorded ${beat(1)}`],
    ["a finished step that nobody did", [...done.slice(1), effect("a", 1, beat(2))], `effect.missing ${beat(1)} a`],
    ["a success that nobody worked for", [...done.slice(0, 2), effect(undefined, 1, beat(2))], `effect.missing ${beat(1)}`]
  ])("finds %s", (_, effects, says) => {
    const other = events(claimed(2), attempt(2))
    expect(found(checkSteps([...twice, ...other], effects))).toEqual([says])
  })

  it.each<readonly [name: string, more: ReadonlyArray<New>, says: string]>([
    ["a step that was finished twice", [step("step.finished", "a", 2)], `step.doubled ${beat(1)} a`],
    ["a step that was started after it was finished", [step("step.started", "a", 2)], `step.repeated ${beat(1)} a`]
  ])("finds %s in the journal", (_, more, says) => {
    expect(found(checkSteps([...twice, ...events(...more)], []))).toEqual([says])
  })

  it("reads a book of effects, and leaves out lines that were cut short", () => {
    expect(readEffects(`r,s,1,${t0}\nr,s,2,${t0},a\nr,s,x,1\nr,s,`)).toEqual([
      { run: "r", slot: "s", attempt: 1, startedAtMs: t0, step: undefined },
      { run: "r", slot: "s", attempt: 2, startedAtMs: t0, step: "a" }
    ])
  })
})

describe("checkTranscript", () => {
  const row = (seconds: number): TranscriptRow => ({ text: `[${label(beat(seconds))}]\n\ndone`, label: label(beat(seconds)) })
  const three = events(settled(1), settled(2), settled(3))
  const acknowledged = (seconds: number) => events({ type: "entry.acknowledged", run: beat(seconds), how: "reply" })
  const parked = (seconds: number) => events({ type: "entry.parked", run: beat(seconds), reason: "" })

  it("finds nothing wrong with each result once and in order, between the rows of others", () => {
    expect(checkTranscript(three, [row(1), { text: "hello" }, row(2), { text: "[a note]" }, row(3)])).toEqual([])
  })

  it("knows a report by the label in its text as well", () => {
    expect(
      checkTranscript(
        three,
        [1, 2, 3].map((seconds) => ({ text: row(seconds).text }))
      )
    ).toEqual([])
  })

  it.each<readonly [name: string, rows: ReadonlyArray<TranscriptRow>, says: string]>([
    ["a result that is missing", [row(1), row(3)], `report.missing ${beat(2)}`],
    ["a result that is there twice", [row(1), row(2), row(3), row(2)], `report.doubled ${beat(2)}`],
    ["results in another order", [row(2), row(1), row(3)], `report.order ${beat(1)}`],
    ["a report of a run that was never settled", [row(1), row(2), row(3), row(4)], `report.unknown ${label(beat(4))}`]
  ])("finds %s", (_, rows, says) => {
    expect(found(checkTranscript(three, rows))).toEqual([says])
  })

  it("does not ask for what settled later, what was parked, what is not reported, and what another session is told", () => {
    expect(checkTranscript(three, [row(1), row(2)], { throughMs: at(2) })).toEqual([])
    expect(checkTranscript([...three, ...parked(2)], [row(1), row(3)])).toEqual([])
    expect(checkTranscript(events(settled(1, { report: null })), [])).toEqual([])
    expect(checkTranscript(three, [], { session: "other" })).toEqual([])
  })

  it("owes one row for a digest, none for its reports nor for what collapsed or is no row, and a place at the end for what was sent again", () => {
    const digest = { type: "entries.digested", digest: "digest+x", session: "main", text: "", runs: [beat(1), beat(2)] } as const
    const rowOf = (run: string): TranscriptRow => ({ text: "", label: label(run) })
    const digested = [...three, ...events(digest)]
    expect(checkTranscript(digested, [row(3), rowOf("digest+x")])).toEqual([])
    expect(found(checkTranscript(digested, [row(1), row(3)]))).toEqual([`report.unknown ${label(beat(1))}`, "report.missing digest+x"])
    const collapsed = events({ type: "entry.collapsed", run: beat(1), into: beat(2) })
    expect(checkTranscript([...three, ...collapsed], [row(2), row(3)])).toEqual([])
    expect(checkTranscript(events(settled(1, { report: { session: "main", text: "", via: "wake" } })), [])).toEqual([])
    const redriven = [...three, ...parked(1), ...events({ type: "entry.redriven", run: beat(1), by: "somebody" })]
    expect(checkTranscript(redriven, [row(2), row(3), row(1)])).toEqual([])
    expect(found(checkTranscript(redriven, [row(2), row(3)]))).toEqual([`report.missing ${beat(1)}`])
  })

  it("asks for what was acknowledged, however late it settled", () => {
    expect(found(checkTranscript([...three, ...acknowledged(3)], [row(1), row(2)], { throughMs: at(2) }))).toEqual([
      `report.missing ${beat(3)}`
    ])
  })
})

describe("readJournal", () => {
  const segment = (number: number, after: number, chain: number, appends: ReadonlyArray<ReadonlyArray<New>>) => {
    const header = { product: "holdfast", format: 1, segment: number, epoch: number, after, chain: hex(chain) }
    let { text, crc } = encodeLine({ seq: after, epoch: number, proven: after, more: 0 }, JSON.stringify(header), 0)
    let seq = after
    for (const append of appends) {
      for (const [i, event] of append.entries()) {
        seq += 1
        const line = encodeLine({ seq, epoch: number, proven: after, more: append.length - 1 - i }, JSON.stringify(event), crc)
        text += line.text
        crc = line.crc
      }
    }
    return { bytes: Buffer.from(text), seq, crc }
  }
  const first = segment(1, 0, 0, [[started()], [adopted(), claimed(1)]])
  const types = (segments: ReadonlyArray<Uint8Array>) => readJournal(segments).events.map(({ type }) => type)

  it("gives every event of all segments, in order", () => {
    const second = segment(2, first.seq, first.crc, [[started(2)]])
    expect(types([first.bytes, second.bytes])).toEqual(["runtime.started", "skill.adopted", "run.claimed", "runtime.started"])
    expect(readJournal([first.bytes, second.bytes]).violations).toEqual([])
  })

  it("leaves out an append whose end is not there, and a line that is still being written", () => {
    const lines = first.bytes.toString().split("\n")
    expect(types([Buffer.from(`${lines.slice(0, 3).join("\n")}\n`)])).toEqual(["runtime.started"])
    expect(types([first.bytes.subarray(0, -5)])).toEqual(["runtime.started"])
  })

  it("takes records that a newer segment carries over once", () => {
    const one = segment(1, 0, 0, [[started()]])
    const carried = segment(2, one.seq, one.crc, [[adopted(), claimed(1)], [started(2)]])
    expect(types([first.bytes, carried.bytes])).toEqual(["runtime.started", "skill.adopted", "run.claimed", "runtime.started"])
  })

  it("finds damage in a segment that another one follows, and records that are missing between them", () => {
    const second = segment(2, first.seq, first.crc, [[started(2)]])
    const damaged = Buffer.from(first.bytes.toString().replace("runtime.started", "runtime.strated"))
    expect(found(readJournal([damaged, second.bytes]).violations)).toEqual(["journal.damaged segment 2 of 2"])
    expect(found(readJournal([second.bytes]).violations)).toEqual(["journal.damaged segment 1 of 1"])
  })
})
