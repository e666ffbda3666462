/** One skill without any hands: what it does with slots, gates and runs. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { fromEffect, fromListener, plug, runMachine as start } from "../../src/layers/actor.ts"
import type { Settlement } from "../../src/machines/run.ts"
import {
  type Cause,
  type Decision,
  type Gate,
  type RunInput,
  runUnderWay,
  type SkillContext,
  skillMachine
} from "../../src/machines/skill.ts"
import { inVirtualTime } from "../property.ts"

const closed: Gate = { open: false, reason: "held" }
const run = (name: string): RunInput => ({
  run: name,
  retry: { attemptsMax: 1, firstMs: 1, capMs: 1 },
  pools: [],
  attempts: 0,
  failedAttempts: 0,
  retryInMs: undefined,
  interrupted: undefined
})

/** A skill whose runs take ten seconds. `due` is its next slot; `owed` are the runs that the next decision claims. */
const working = Effect.fnUntraced(function* (gate: Gate, unsettled: ReadonlyArray<RunInput> = [], atOnce = 1) {
  const asked: Array<string> = []
  const owed: Array<string> = []
  let due: (() => void) | undefined
  const { actor } = yield* start(
    plug(skillMachine, {
      nextSlot: fromListener<Pick<SkillContext, "waitUntilMs">>(({ sendBack }) => {
        due = () => sendBack({ type: "slot.due" })
        return () => {
          due = undefined
        }
      }),
      decide: fromEffect(
        ({
          input
        }: {
          input: {
            readonly cause: Cause
            readonly heldFor: string | undefined
            readonly runs: ReadonlyArray<string>
            readonly probe: boolean
          }
        }) =>
          Effect.sync((): Decision => {
            asked.push(
              [
                `decide ${input.cause}`,
                input.heldFor && `held for ${input.heldFor}`,
                input.runs.length > 0 && `busy with ${input.runs.join(" ")}`
              ]
                .filter(Boolean)
                .join(", ")
            )
            return { runs: owed.splice(0).map(run) }
          })
      ),
      run: fromEffect(({ input }: { input: RunInput }) =>
        Effect.gen(function* () {
          asked.push(`run ${input.run}`)
          yield* Effect.sleep(10_000)
          return {} as Settlement
        })
      ) as never
    }),
    { input: { name: "job", gate, unsettled, atOnce } }
  )
  yield* TestClock.adjust(1)
  return {
    actor,
    asked,
    owed,
    due: () =>
      Effect.andThen(
        Effect.sync(() => due?.()),
        TestClock.adjust(1)
      ),
    isArmed: () => due !== undefined,
    send: (event: Parameters<typeof actor.send>[0]) =>
      Effect.andThen(
        Effect.sync(() => actor.send(event)),
        TestClock.adjust(1)
      ),
    value: () => {
      const { slots, work } = actor.getSnapshot().value
      return { slots, work }
    }
  }
})

describe("a skill", () => {
  it("looks first at what was owed while nobody was there, then waits for its next slot", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, isArmed, value } = yield* working({ open: true })
        assert.deepStrictEqual(asked, ["decide started"])
        assert.deepStrictEqual(value(), { slots: "waiting", work: "idle" })
        assert.isTrue(isArmed())
      })
    ))

  it("runs its claimed runs one at a time, in their order", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, due, owed, value } = yield* working({ open: true })
        owed.push("a", "b")
        yield* due()
        assert.deepStrictEqual(value(), { slots: "waiting", work: "executing" })
        assert.strictEqual(runUnderWay(actor.getSnapshot().context), "a")
        yield* TestClock.adjust(20_000)
        assert.deepStrictEqual(asked.slice(1), ["decide due", "run a", "run b"])
        assert.deepStrictEqual(value(), { slots: "waiting", work: "idle" })
      })
    ))

  it("takes up first what the last runtime left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* working({ open: true }, [run("left")])
        assert.sameMembers(asked, ["run left", "decide started, busy with left"])
      })
    ))

  it("goes on with what survived at once, whatever its gate says, and begins nothing beside it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const survivor = { ...run("job@2"), survives: true }
        const { actor, asked } = yield* working(closed, [run("job@1"), survivor])
        assert.deepStrictEqual(asked, ["run job@2"])
        actor.send({ type: "gate.opened" })
        yield* TestClock.adjust(9_000)
        assert.notInclude(asked, "run job@1")
        yield* TestClock.adjust(2_000)
        assert.include(asked, "run job@1")
        const open = yield* working({ open: true }, [run("job@1"), survivor])
        assert.notInclude(open.asked, "run job@1")
      })
    ))

  it("goes on looking at slots while a run is under way, and says which", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, due, owed } = yield* working({ open: true })
        owed.push("a")
        yield* due()
        yield* due()
        assert.deepStrictEqual(asked.slice(1), ["decide due", "run a", "decide due, busy with a"])
      })
    ))
})

describe("a closed gate", () => {
  it("holds a slot that falls due, and hands its reason on once it opens", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, due, isArmed, owed, send, value } = yield* working({ open: true })
        yield* send({ type: "gate.closed", reason: "session down" })
        assert.deepStrictEqual(value(), { slots: "waiting", work: "idle" }, "nothing is due yet")
        yield* due()
        assert.deepStrictEqual(value(), { slots: "held", work: "idle" })
        assert.include([...actor.getSnapshot().tags], "degraded")
        assert.isFalse(isArmed())
        owed.push("a")
        yield* send({ type: "gate.opened" })
        assert.deepStrictEqual(asked.slice(1), ["decide released, held for session down", "run a"])
        yield* due()
        assert.deepStrictEqual(asked.slice(3), ["decide due, busy with a"], "the reason is told once")
      })
    ))

  it("at the start holds everything, what was left included", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, send, value } = yield* working(closed, [run("left")])
        assert.deepStrictEqual([asked, value()], [[], { slots: "held", work: "idle" }])
        yield* send({ type: "gate.opened" })
        assert.sameMembers(asked, ["run left", "decide released, held for held, busy with left"])
      })
    ))

  it("leaves the run under way alone, and starts no other", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, due, owed, send, value } = yield* working({ open: true })
        owed.push("a", "b")
        yield* due()
        yield* send({ type: "gate.closed", reason: "draining" })
        assert.deepStrictEqual(value(), { slots: "waiting", work: "executing" })
        yield* TestClock.adjust(60_000)
        assert.deepStrictEqual(asked.slice(1), ["decide due", "run a"])
        assert.deepStrictEqual(value(), { slots: "waiting", work: "idle" })
      })
    ))

  it("makes a run asked for by hand wait", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, send } = yield* working(closed)
        yield* send({ type: "run.claimed", run: run("by-hand") })
        assert.deepStrictEqual(asked, [])
        yield* send({ type: "gate.opened" })
        assert.include(asked, "run by-hand")
      })
    ))
})
