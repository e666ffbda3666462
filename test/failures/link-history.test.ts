/** The real layers over a disk in memory and a scripted peer, in virtual time: what the link does cannot touch the skills. */
import { Effect, Layer, Redacted, Result } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { History } from "../../src/layers/History.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { Session } from "../../src/layers/Session.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import type { Probe } from "../../src/machines/gateway.ts"
import type { Mode } from "../../src/machines/guarantees.ts"
import { makeWorld } from "../../src/testing/World.ts"
import { scriptedPeer } from "../../src/testing/ScriptedPeer.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"

const skills: ReadonlyArray<SkillGiven> = [
  { name: "each-second", settings: { schedule: { every: "1 second" } }, workMs: 0 },
  { name: "slow", settings: { schedule: { every: "10 seconds" }, report: { when: "always" as const } }, workMs: 4_000 },
  {
    name: "each-minute",
    settings: { schedule: { cron: "* * * * *", timezone: "Asia/Tokyo" }, report: { when: "always" as const } },
    workMs: 500
  }
].map(({ workMs, ...given }) => ({ ...given, description: "", work: effectWork(() => Effect.as(Effect.sleep(workMs), { done: true })) }))

/** Something that happens to the link, and how long after the thing before it. */
interface Happening {
  readonly afterMs: number
  readonly what: "drop" | "refuse" | "accept" | "hang" | "thaw" | "reboot" | "loseReply" | "gatewayDown" | "gatewaySilent" | "gatewayUp"
}
const happening: fc.Arbitrary<Happening> = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 9_000 })),
  what: fc.constantFrom("drop", "refuse", "accept", "hang", "thaw", "reboot", "loseReply", "gatewayDown", "gatewaySilent", "gatewayUp")
})
const spanMs = 60_000
/** Two minutes cover the longest dwell of a flapping link, and two readings for each report that waits. */
const recoveryMaxMs = 120_000

/** What one history left: the journal, and the transcript of the peer. */
const live = Effect.fnUntraced(function* (history: ReadonlyArray<Happening>) {
  const peer = yield* scriptedPeer
  let probe: Probe | "never" = { _tag: "Ready" }
  const url = Result.getOrThrow(gatewayUrl("ws://127.0.0.1:3019"))
  const link = Layer.merge(
    History.layer({ session: "agent:main:main" }),
    Layer.succeed(Gateway, {
      probe: Effect.suspend(() => (probe === "never" ? Effect.as(Effect.sleep(2_000), failing("silent")) : Effect.succeed(probe)))
    })
  ).pipe(Layer.provideMerge(Session.layer({ url, token: Redacted.make("token"), version: "test" })), Layer.provide(peer.dial))
  const modes = new Set<Mode>()

  return yield* Effect.scoped(
    Effect.gen(function* () {
      const world = yield* makeWorld({ skills, link })
      const { runtime } = world
      const supervisorOf = () =>
        (runtime.actor.getSnapshot().children as Record<string, { getSnapshot(): { status: string } }>)["supervisor"]
      const supervisor = supervisorOf()
      runtime.actor.subscribe((snapshot) => {
        if (snapshot.status === "active") assert.strictEqual(supervisorOf(), supervisor, "another supervisor took its place")
      })
      let leftMs = spanMs
      for (const { afterMs, what } of history) {
        const stepMs = Math.min(afterMs, leftMs)
        leftMs -= stepMs
        yield* world.pass(stepMs)
        modes.add(yield* runtime.mode)
        switch (what) {
          case "drop":
            yield* peer.drop()
            break
          case "refuse":
            peer.refuse("refused")
            yield* peer.drop()
            break
          case "accept":
            peer.refuse(undefined)
            break
          case "hang":
            yield* peer.hang
            break
          case "thaw":
            yield* peer.thaw
            break
          case "reboot":
            yield* peer.reboot
            break
          case "loseReply":
            peer.loseReplies(1)
            break
          case "gatewayDown":
            probe = failing("refused")
            break
          case "gatewaySilent":
            probe = "never"
            break
          case "gatewayUp":
            probe = { _tag: "Ready" }
        }
      }
      yield* world.pass(leftMs)
      assert.strictEqual(supervisor?.getSnapshot().status, "active")
      assert.strictEqual(supervisorOf(), supervisor)

      // The faults end: everything is delivered, and the link is whole again.
      peer.refuse(undefined)
      probe = { _tag: "Ready" }
      yield* peer.thaw
      const { outbox } = world.store.ledger
      for (let waitedMs = 0; (yield* runtime.mode) !== "connected" || outbox.size > 0; waitedMs += 1_000) {
        assert.isBelow(waitedMs, recoveryMaxMs, `still ${yield* runtime.mode}, ${outbox.size} reports waiting`)
        yield* world.pass(1_000)
      }
      return { events: world.events(), rows: peer.transcript, modes }
    })
  )
})

const failing = (reason: "refused" | "silent"): Probe => ({ _tag: "Failing", reason, detail: "", chance: 0.5, distance: "loopback" })

/** What the skills did in the span: every run with when it was claimed, started and settled, after its slot. */
const work = (events: ReadonlyArray<JournalEvent>) => {
  const slots = new Map<string, number>()
  return events
    .flatMap((event): ReadonlyArray<string> => {
      if (event.type === "run.claimed") slots.set(event.run, event.slot)
      if (!("run" in event) || event.run === undefined || event.atMs > beginningMs + spanMs) return []
      const slotAtMs = slots.get(event.run)
      switch (event.type) {
        case "run.claimed":
        case "attempt.started":
        case "run.settled":
          return [`${event.type} ${event.run} +${event.atMs - (slotAtMs ?? 0)} ms`]
        default:
          return []
      }
    })
    .sort()
}

const calm = inVirtualTime(live([]))

describe("whatever happens to the link", () => {
  it("an undisturbed minute has every slot on time, and each report in the transcript", async () => {
    const { events, rows } = await calm
    const done = work(events)
    assert.strictEqual(done.filter((line) => line.startsWith("run.claimed each-second@")).length, 60)
    assert.strictEqual(done.filter((line) => line.startsWith("run.claimed slow@")).length, 6)
    assert.deepStrictEqual(
      [...new Set(done.filter((line) => line.startsWith("attempt.started")).map((line) => line.split(" ")[2]))],
      ["+0"]
    )
    assert.isAtLeast(rows.length, 6)
  })

  property(
    "no history of session and gateway events stops a run, delays a slot or changes the set of runs",
    { runs: 15 },
    fc.array(happening, { minLength: 1, maxLength: 25, size: "max" }),
    (history) =>
      Effect.gen(function* () {
        const { events, rows } = yield* live(history)
        assert.deepStrictEqual(work(events), work((yield* Effect.promise(() => calm)).events))

        const told = rows.map(({ text }) => /run=(\S+?)\]/.exec(text)?.[1])
        assert.deepStrictEqual(
          told.filter((run, i) => told.indexOf(run) !== i),
          [],
          "a report stands in the transcript twice"
        )
        const owed = events.flatMap((event) => (event.type === "run.settled" && event.report !== null ? [event.run] : []))
        assert.deepStrictEqual(
          owed.filter((run) => !told.includes(run)),
          [],
          "a report is missing from the transcript"
        )
        const order = told.map((run) => owed.indexOf(run ?? ""))
        assert.deepStrictEqual(
          order,
          order.toSorted((a, b) => a - b),
          "reports are told in the order in which their runs settled"
        )
      })
  )

  it("goes through every degraded mode in such histories", async () => {
    const { modes } = await inVirtualTime(
      live([
        { afterMs: 5_000, what: "drop" },
        { afterMs: 10, what: "gatewayDown" },
        { afterMs: 0, what: "refuse" },
        { afterMs: 4_000, what: "accept" },
        { afterMs: 4_000, what: "gatewayUp" },
        { afterMs: 4_000, what: "refuse" },
        { afterMs: 4_000, what: "accept" },
        { afterMs: 6_000, what: "drop" }
      ])
    )
    assert.includeMembers([...modes], ["connected", "degraded.partitioned", "degraded.gatewayLost", "degraded.sessionLost"])
  })
})
