import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { LedgerReader, linesOf } from "../../src/domain/canonical.ts"
import { fold, Ledger, runsRemembered } from "../../src/domain/Ledger.ts"
import { promptsMax } from "../../src/domain/Skill.ts"

type Given = JournalEvent extends infer E ? (E extends JournalEvent ? Omit<E, "v" | "atMs"> & { atMs?: number } : never) : never
const at = (events: ReadonlyArray<Given>): ReadonlyArray<JournalEvent> => events.map((event, i) => ({ v: 1, atMs: i + 1, ...event }))
const after = (...events: ReadonlyArray<Given>): Ledger => fold(at(events))

const adopted = (from = 0, skill = "a"): Given => ({
  type: "skill.adopted",
  skill,
  digest: "d",
  schedule: { _tag: "Every", everyMs: 1_000, anchorMs: 0 },
  from
})
const claimed = (run: string, slot = 1_000, fence = 1): Given => ({
  type: "run.claimed",
  run,
  skill: "a",
  slot,
  fence,
  digest: "d",
  missed: 0
})
const settled = (
  run: string,
  outcome: "success" | "failed" = "success",
  report: { session: string; text: string } | null = null
): Given => ({ type: "run.settled", run, outcome, reason: "", startedAtMs: null, durationMs: 1, fields: {}, report })

describe("the ledger", () => {
  it("is the same for the same journal, whether folded live or read back from its JSON", () => {
    const events = at([
      adopted(),
      claimed("r"),
      { type: "attempt.started", run: "r", attempt: 1 },
      { type: "step.started", run: "r", attempt: 1, step: "s" },
      { type: "step.finished", run: "r", attempt: 1, step: "s", result: { posts: [1, null] } }
    ])
    const read = events.map((event) => Schema.decodeUnknownSync(JournalEvent)(JSON.parse(JSON.stringify(event))))
    assert.deepStrictEqual(fold(read), fold(events))
  })

  it("takes a run from claim over attempts to its outcome", () => {
    const events = at([
      adopted(),
      claimed("r"),
      { type: "attempt.started", run: "r", attempt: 1 },
      { type: "attempt.spawned", run: "r", attempt: 1, pid: 7, startTime: "8", bootId: "9" },
      { type: "attempt.failed", run: "r", attempt: 1, reason: "exit 1", retryAtMs: 99 },
      { type: "attempt.started", run: "r", attempt: 2 },
      settled("r")
    ])
    const phases = events.map((_, i) => {
      const run = fold(events.slice(0, i + 1)).runs.get("r")
      return run && [run.phase, run.attempts, run.failedAttempts, run.retryAtMs, run.process?.pid]
    })
    assert.deepStrictEqual(phases, [
      undefined,
      ["claimed", 0, 0, undefined, undefined],
      ["executing", 1, 0, undefined, undefined],
      ["executing", 1, 0, undefined, 7],
      ["retryable", 1, 1, 99, undefined],
      ["executing", 2, 1, undefined, undefined],
      ["settled", 2, 1, undefined, undefined]
    ])
  })

  it("takes a settled run for settled: nothing that comes later changes it", () => {
    const before = after(adopted(), claimed("r"), settled("r"))
    const later = after(
      adopted(),
      claimed("r"),
      settled("r"),
      claimed("r", 1_000, 1),
      { type: "attempt.started", run: "r", attempt: 9 },
      settled("r", "failed")
    )
    assert.deepStrictEqual(later.runs.get("r"), before.runs.get("r"))
    assert.strictEqual(later.skills.get("a")?.failures, 0)
    assert.strictEqual(later.slots.run, 1)
  })

  it("replays the result of a finished step and knows one that only started", () => {
    const { steps } = after(
      adopted(),
      claimed("r"),
      { type: "step.started", run: "r", attempt: 1, step: "one" },
      { type: "step.finished", run: "r", attempt: 1, step: "one", result: 4 },
      { type: "step.started", run: "r", attempt: 1, step: "two" }
    ).runs.get("r")!
    assert.deepStrictEqual(
      [...steps],
      [
        ["one", { result: 4 }],
        ["two", "started"]
      ]
    )
  })

  it("counts the attempt of a parked run as failed, and remembers after a release why it was parked", () => {
    const parked = after(
      adopted(),
      claimed("r"),
      { type: "attempt.started", run: "r", attempt: 1 },
      { type: "run.parked", run: "r", reason: "why" },
      { type: "run.released", run: "r", by: "me" }
    ).runs.get("r")!
    assert.deepInclude(parked, { phase: "retryable", parked: "why", attempts: 1, failedAttempts: 1, retryAtMs: parked.claimedAtMs + 3 })
  })

  it("owes nothing from before an adoption, and nothing again that was settled", () => {
    assert.strictEqual(after(adopted(5_000)).skills.get("a")?.settledThroughMs, 5_000)
    const edited = after(adopted(0), claimed("r", 9_000), adopted(4_000)).skills.get("a")!
    assert.deepStrictEqual([edited.owedFromMs, edited.settledThroughMs], [4_000, 9_000])
  })

  it("counts every slot under its verdict, but a manual run under none", () => {
    const ledger = after(adopted(), claimed("r", 1_000), claimed("a@x+manual-k", 50_000), {
      type: "slot.settled",
      skill: "a",
      slot: 2_000,
      through: 4_000,
      count: 3,
      verdict: "missed",
      reason: "down"
    })
    assert.deepStrictEqual(ledger.slots, { run: 1, coalesced: 0, skipped: 0, missed: 3, superseded: 0 })
    assert.strictEqual(ledger.skills.get("a")?.settledThroughMs, 4_000)
  })

  it("keeps what a person decided about a skill across its adoption, and what its runs came to", () => {
    const skill = after(
      adopted(),
      { type: "skill.paused", skill: "a", by: "me", why: "x" },
      { type: "skill.quarantined", skill: "a", why: "y" },
      claimed("r"),
      settled("r", "failed"),
      { type: "skill.removed", skill: "a" },
      adopted()
    ).skills.get("a")!
    assert.deepStrictEqual(
      [skill.paused, skill.quarantined, skill.failures, skill.removed, skill.last?.run],
      [{ by: "me", why: "x" }, "y", 1, false, "r"]
    )
    const freed = after(
      adopted(),
      { type: "skill.paused", skill: "a", by: "me", why: "x" },
      { type: "skill.resumed", skill: "a", by: "me", why: "" },
      { type: "skill.quarantined", skill: "a", why: "y" },
      { type: "skill.released", skill: "a", by: "me" }
    ).skills.get("a")!
    assert.deepStrictEqual([freed.paused, freed.quarantined], [undefined, undefined])
  })

  it("holds a report in the outbox from its run's end until it is acknowledged or parked, in order", () => {
    const report = { session: "main", text: "done" }
    const runs = [
      adopted(),
      claimed("r1"),
      claimed("r2"),
      claimed("r3"),
      settled("r2", "success", report),
      settled("r1", "success", report),
      settled("r3", "success", report)
    ]
    assert.deepStrictEqual([...after(...runs).outbox.keys()], ["r2", "r1", "r3"])
    const told = after(
      ...runs,
      { type: "entry.sent", run: "r1", gatewayBootId: "g" },
      { type: "entry.acknowledged", run: "r2", how: "reply" },
      { type: "entry.acknowledged", run: "r2", how: "history" },
      { type: "entry.parked", run: "r3", reason: "no such session" }
    )
    assert.deepStrictEqual(
      [...told.outbox.values()].map((entry) => [entry.run, entry.sent?.gatewayBootId]),
      [["r1", "g"]]
    )
    assert.deepStrictEqual(
      [told.acknowledged, [...told.parked].map(([run, { reason }]) => [run, reason])],
      [1, [["r3", "no such session"]]]
    )
  })

  it("forgets old settled runs, never unsettled ones, and keeps every entry", () => {
    const many = Array.from({ length: 3 * runsRemembered }, (_, i) => [
      claimed(`r${i}`),
      settled(`r${i}`, "success", { session: "s", text: "" })
    ]).flat()
    const ledger = after(adopted(), claimed("open"), ...many)
    assert.isBelow(ledger.runs.size, 2 * runsRemembered + 2)
    assert.isTrue(ledger.runs.has("open") && ledger.runs.has(`r${3 * runsRemembered - 1}`))
    assert.strictEqual(ledger.outbox.size, 3 * runsRemembered)
    assert.deepStrictEqual(
      ledger.unsettled().map((run) => run.run),
      ["open"]
    )
  })

  it("counts the prompts of the last day, also of a skill that was removed, and no more than it needs", () => {
    const day = 86_400_000
    const prompt = (atMs: number): Given => ({ type: "prompt.started", run: "r", skill: "a", attempt: 1, atMs })
    const ledger = after(adopted(), prompt(1_000), prompt(2_000), prompt(1_000 + day), { type: "skill.removed", skill: "a" }, adopted())
    assert.deepStrictEqual(ledger.skills.get("a")?.promptsAtMs, [2_000, 1_000 + day])
    const reader = new LedgerReader()
    for (const line of linesOf(ledger)) assert.isTrue(reader.take(line))
    assert.deepStrictEqual(reader.ledger, ledger)
    const many = after(adopted(), ...Array.from({ length: promptsMax + 5 }, (_, i) => prompt(i))).skills.get("a")!.promptsAtMs
    assert.deepStrictEqual([many.length, many[0], many.at(-1)], [promptsMax, 5, promptsMax + 4])
  })

  it("keeps in a checkpoint what is owed after other skills, how often a skill has failed, and which starts did not last", () => {
    const started = (epoch: number): Given => ({ type: "runtime.started", epoch, pid: 1, version: "0", bootId: "boot" })
    const ledger = after(
      started(1),
      adopted(),
      { type: "skill.adopted", skill: "b", digest: "d", schedule: { _tag: "After", skill: "a", on: "end" }, from: 0 },
      claimed("r"),
      settled("r", "failed"),
      claimed("s", 2_000, 2),
      settled("s"),
      { type: "skill.quarantined", skill: "a", why: "it fails", probeAtMs: 9_000, probes: 2 },
      claimed("t", 3_000, 3),
      { type: "attempt.started", run: "t", attempt: 1 },
      started(2)
    )
    const [a, b] = [ledger.skills.get("a")!, ledger.skills.get("b")!]
    assert.deepInclude(a, { failedAtMs: [5], probe: { atMs: 9_000, failed: 2 }, deaths: 1 })
    assert.deepStrictEqual(
      [b.owedAtMs, ledger.startsAtMs],
      [
        [5, 7],
        [1, 11]
      ]
    )
    const reader = new LedgerReader()
    for (const line of linesOf(ledger)) assert.isTrue(reader.take(line))
    assert.deepStrictEqual(reader.ledger.skills, ledger.skills)
    assert.deepStrictEqual([...linesOf(reader.ledger)], [...linesOf(ledger)])
    ledger.apply({ v: 1, atMs: 12, type: "slot.settled", skill: "b", slot: 5, through: 5, count: 1, verdict: "missed", reason: "" })
    assert.deepStrictEqual(b.owedAtMs, [7])
  })

  it("writes a skill that never had a prompt as it always did", () => {
    assert.notInclude([...linesOf(after(adopted()))].join(""), "prompt")
  })

  it("passes over events that name what it does not know", () => {
    const ledger = after(
      { type: "skill.paused", skill: "nobody", by: "", why: "" },
      { type: "attempt.started", run: "none", attempt: 1 },
      settled("none", "success", { session: "s", text: "" }),
      { type: "entry.acknowledged", run: "none", how: "reply" }
    )
    assert.deepStrictEqual(ledger, new Ledger())
  })

  it("takes names that objects have for names", () => {
    const ledger = after(adopted(0, "constructor"), adopted(0, "__proto__"))
    assert.deepStrictEqual([...ledger.skills.keys()], ["constructor", "__proto__"])
  })

  it("knows from its last words whether the runtime said goodbye", () => {
    const started: Given = { type: "runtime.started", epoch: 4, pid: 1, version: "0" }
    assert.deepStrictEqual([new Ledger().stopped, after(started).stopped, after(started).epoch], [true, false, 4])
    const stopped = after(
      started,
      { type: "mode.changed", from: "starting", to: "connected", reason: "" },
      { type: "runtime.stopped", reason: "asked" }
    )
    assert.deepStrictEqual([stopped.stopped, stopped.mode], [true, "stopped"])
  })
})
