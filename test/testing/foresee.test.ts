/** Outages that have not happened, with known skills, in virtual time. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold } from "../../src/domain/Ledger.ts"
import { next } from "../../src/domain/Schedule.ts"
import { slotFates } from "../../src/domain/SlotFate.ts"
import { entryOf, type SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { foresee, type Outage } from "../../src/testing/outage/index.ts"
import { beginningMs } from "../property.ts"

const minutes = (count: number): number => count * 60_000
const at = (afterMinutes: number): number => beginningMs + minutes(afterMinutes)

/** A skill as it is loaded, and on record since an hour before the plan, with what else the journal says of it. */
const skill = Effect.fnUntraced(function* (
  name: string,
  settings: SkillGiven["settings"],
  ...events: ReadonlyArray<Partial<JournalEvent> & object>
) {
  const { definition } = yield* entryOf(
    { name, description: "", settings, work: effectWork(() => Effect.die("its own work")) },
    () => "UTC",
    true
  )
  const adopted = { type: "skill.adopted", skill: name, digest: "of then", schedule: definition.schedule, from: at(-60) }
  const journal = [adopted, ...events].map((event) => ({ v: 1, atMs: at(-60), skill: name, ...event }) as JournalEvent)
  return { definition, record: fold(journal).skills.get(name)! }
})

/** That its last run took so long. */
const lasted = (name: string, durationMs: number) => {
  const run = `${name}@20261122T050000Z`
  return [
    { type: "run.claimed", run, slot: at(-60), fence: 1, digest: "d", missed: 0 },
    { type: "run.settled", run, outcome: "success", reason: "", startedAtMs: at(-60), durationMs, fields: {}, report: null }
  ] as const
}

/** The fates of all slots within two hours, and why. */
const fates = Effect.fnUntraced(function* (
  skills: ReadonlyArray<Effect.Success<ReturnType<typeof skill>>>,
  ...outages: ReadonlyArray<Outage>
) {
  const toMs = at(120)
  const { events, states } = yield* foresee({ skills, outages, fromMs: beginningMs, toMs })
  const told = skills.map(({ definition: { timing }, record: { name, schedule } }) => {
    const fateOf = slotFates(events, { skill: name, delayMs: timing?.delayMs ?? 0 })
    const lines: Array<string> = []
    for (let slotMs = next(schedule!, beginningMs); slotMs !== undefined && slotMs <= toMs; slotMs = next(schedule!, slotMs)) {
      const { fate, lateMs, reason, run } = fateOf(slotMs)
      const into = fate === "coalesced" ? ` into ${run}` : ""
      lines.push(
        `+${(slotMs - beginningMs) / 60_000} ${fate}${lateMs ? ` ${lateMs / 60_000}` : ""}${into}${reason === undefined ? "" : `: ${reason}`}`
      )
    }
    return [name, lines] as const
  })
  return { told: Object.fromEntries(told), states, events }
})

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
const halfHourly = { schedule: { every: "30 minutes" } }
const lost = (what: Outage["what"], from: number, to: number): Outage => ({ what, fromMs: at(from), toMs: at(to) })
const onTime = ["+30 onTime", "+60 onTime", "+90 onTime", "+120 onTime"]

describe("an outage that has not happened", () => {
  it("of the session holds what needs it and releases it by its catchUp; nothing else is touched", () =>
    run(
      Effect.gen(function* () {
        const skills = [
          yield* skill("local", halfHourly),
          yield* skill("of-gateway", { ...halfHourly, needs: ["gateway"] }),
          yield* skill("of-session", { ...halfHourly, needs: ["session"] }),
          yield* skill("given-up", { ...halfHourly, needs: ["session"], catchUp: "none" })
        ]
        const { told } = yield* fates(skills, lost("session", 20, 70))
        const mode = "the runtime was degraded.sessionLost then (session refused)"
        assert.deepStrictEqual(told, {
          local: onTime,
          "of-gateway": onTime,
          "of-session": [
            "+30 coalesced into of-session@20261122T070000Z: a later slot's run does its work; held: needs session, which is down: refused",
            `+60 late 10: ${mode}; it makes good 1 missed before it`,
            "+90 onTime",
            "+120 onTime"
          ],
          "given-up": [
            "+30 missed: late, and the skill does not catch up; held: needs session, which is down: refused",
            "+60 missed: late, and the skill does not catch up; held: needs session, which is down: refused",
            "+90 onTime",
            "+120 onTime"
          ]
        })
      })
    ))

  it("of the gateway takes both layers of the link, also one that lasts from before the plan to its end", () =>
    run(
      Effect.gen(function* () {
        const skills = [
          yield* skill("local", halfHourly),
          yield* skill("of-gateway", { ...halfHourly, needs: ["gateway"] }),
          yield* skill("of-session", { ...halfHourly, needs: ["session"] })
        ]
        const { told, states } = yield* fates(skills, lost("gateway", -100, 500))
        const waits = ["+30 waits", "+60 waits", "+90 waits", "+120 waits"]
        assert.deepStrictEqual(told, { local: onTime, "of-gateway": waits, "of-session": waits })
        assert.strictEqual(states?.get("of-gateway")?.reason, "needs gateway, which is down: refused")
        assert.strictEqual(states?.get("of-session")?.reason, "needs session, which is down: refused")
      })
    ))

  it("of the runtime is made good by each skill's catchUp after the start", () =>
    run(
      Effect.gen(function* () {
        const skills = [
          yield* skill("latest", halfHourly),
          yield* skill("all", { ...halfHourly, catchUp: "all" }),
          yield* skill("none", { ...halfHourly, catchUp: "none" })
        ]
        const { told, events } = yield* fates(skills, lost("runtime", 20, 70))
        const down = "no runtime was at work"
        assert.deepStrictEqual(told["latest"], [
          "+30 coalesced into latest@20261122T070000Z: a later slot's run does its work",
          `+60 late 10: ${down}; it makes good 1 missed before it`,
          "+90 onTime",
          "+120 onTime"
        ])
        assert.deepStrictEqual(told["none"], [
          "+30 missed: late, and the skill does not catch up",
          "+60 missed: late, and the skill does not catch up",
          "+90 onTime",
          "+120 onTime"
        ])
        assert.match(told["all"]!.join("\n"), /^\+30 late 40.*: no runtime was at work\n\+60 late 10.*\n\+90 onTime\n\+120 onTime$/)
        const ends = events
          .filter(({ type }) => type === "runtime.stopped" || type === "runtime.started")
          .map(({ type, atMs }) => [type, atMs])
        assert.deepStrictEqual(ends.slice(1, 3), [
          ["runtime.stopped", at(20)],
          ["runtime.started", at(70)]
        ])
      })
    ))

  it("of the runtime lets runs finish within the deadline of a stop, and cuts off the others", () =>
    run(
      Effect.gen(function* () {
        const long = { schedule: { every: "1 hour" }, timeout: "2 hours" }
        const skills = [
          yield* skill("short", long, ...lasted("short", 20_000)),
          yield* skill("long", long, ...lasted("long", minutes(40))),
          yield* skill("once", { ...long, onInterruption: "record" }, ...lasted("once", minutes(40)))
        ]
        const stop = { what: "runtime", fromMs: at(60) + 5_000, toMs: at(90) } as const
        const { told } = yield* fates(skills, stop)
        assert.deepStrictEqual(told["short"], ["+60 onTime", "+120 onTime"])
        assert.deepStrictEqual(told["long"], [
          "+60 onTime: it begins again 30 minutes later",
          "+120 skipped: long@20261122T070000Z is under way"
        ])
        assert.match(told["once"]!.join("\n"), /^\+60 onTime: interrupted: .*\n\+120 onTime$/)
      })
    ))

  it("of the runtime that does not end leaves what comes after it to the next start", () =>
    run(
      Effect.gen(function* () {
        const { told, states } = yield* fates([yield* skill("local", halfHourly)], lost("runtime", 45, 500))
        assert.deepStrictEqual(told["local"], ["+30 onTime", "+60 waits", "+90 waits", "+120 waits"])
        assert.isUndefined(states)
      })
    ))

  it("changes nothing about a pause, nor about a skill that is put aside until its probe", () =>
    run(
      Effect.gen(function* () {
        const skills = [
          yield* skill("paused", halfHourly, { type: "skill.paused", by: "ada", why: "away" }),
          yield* skill("aside", halfHourly, { type: "skill.quarantined", why: "fails", probeAtMs: at(75), probes: 0 })
        ]
        const { told, states } = yield* fates(skills, lost("session", 20, 70))
        assert.deepStrictEqual(told["paused"], ["+30 waits", "+60 waits", "+90 waits", "+120 waits"])
        assert.strictEqual(states?.get("paused")?.reason, "paused by ada: away")
        assert.match(told["aside"]!.join("\n"), /^\+30 coalesced.*held: put aside: fails.*\n\+60 late 15: .*\n\+90 onTime\n\+120 onTime$/)
      })
    ))

  it("takes as long for each run as its last one took, so that what overlaps is seen", () =>
    run(
      Effect.gen(function* () {
        const slow = yield* skill("slow", { ...halfHourly, timeout: "2 hours" }, ...lasted("slow", minutes(40)))
        const { told } = yield* fates([slow], lost("session", 1, 2))
        assert.deepStrictEqual(told["slow"], [
          "+30 onTime",
          "+60 skipped: slow@20261122T063000Z is under way",
          "+90 onTime",
          "+120 skipped: slow@20261122T073000Z is under way"
        ])
      })
    ))

  it("counts as late only what begins later than the skill is meant to", () =>
    run(
      Effect.gen(function* () {
        const skills = [yield* skill("jittered", { ...halfHourly, jitter: "25 minutes" })]
        const { told } = yield* fates(skills, lost("session", 20, 70))
        assert.match(told["jittered"]!.join("\n"), /^\+30 onTime (\S+)\n\+60 onTime \1\n\+90 onTime \1\n\+120 waits$/)
      })
    ))

  it("begins no earlier than a clock can be right, and comes to its end", () =>
    run(
      Effect.gen(function* () {
        const span = { fromMs: Date.UTC(1999, 11, 31), toMs: Date.UTC(2000, 0, 2) }
        const { events } = yield* foresee({ skills: [yield* skill("local", halfHourly)], outages: [], ...span })
        assert.deepStrictEqual(
          events.filter(({ type }) => type === "run.claimed" || type === "slot.settled"),
          []
        )
      })
    ))

  it("is the same each time", () =>
    run(
      Effect.gen(function* () {
        const live = Effect.gen(function* () {
          const skills = [yield* skill("b", { ...halfHourly, needs: ["session"] }), yield* skill("a", { ...halfHourly, catchUp: "all" })]
          return (yield* fates(skills, lost("runtime", 20, 70), lost("session", 60, 100))).told
        })
        assert.deepStrictEqual(yield* live, yield* live)
      })
    ))
})
