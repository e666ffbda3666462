/** A wall clock that does not go on evenly: what jumps is on record, nothing that is settled fires again, and nothing vanishes. */
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { youngestMs } from "../../src/layers/WallClock.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { makeWorld } from "../../src/testing/World.ts"
import { beginningMs, onClockThatIsSet } from "../virtualTime.ts"

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const tick = (every: string) => ({ name: "tick", description: "", settings: { schedule: { every } }, work: effectWork(() => Effect.void) })

const jumps = (events: ReadonlyArray<JournalEvent>) => events.flatMap((event) => (event.type === "clock.jumped" ? [event.byMs] : []))
const slots = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) =>
    event.type === "run.claimed"
      ? [`${iso(event.slot).slice(11, 16)} run`]
      : event.type === "slot.settled"
        ? [`${event.count} ${event.verdict}`]
        : []
  )

describe("a clock that is set while the runtime is at work", () => {
  it("forward, or a machine that slept: it is on record, and what was missed is settled within seconds", () =>
    onClockThatIsSet((set) =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [tick("10 minutes")], lookEveryMs: 5_000 })
        yield* world.pass(11 * minuteMs)
        set(3 * hourMs)
        yield* world.pass(5_000)
        assert.deepStrictEqual(jumps(world.events()), [3 * hourMs])
        assert.deepStrictEqual(slots(world.events()), ["06:10 run", "17 coalesced", "09:10 run"])
        yield* world.pass(30 * minuteMs)
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 3 * hourMs + 40 * minuteMs), [])
      })
    ))

  it("back: nothing fires again, and the next slot is the first one that has no record", () =>
    onClockThatIsSet((set) =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [tick("10 minutes")], lookEveryMs: 5_000 })
        yield* world.pass(31 * minuteMs)
        set(-25 * minuteMs)
        yield* world.pass(33 * minuteMs)
        assert.deepStrictEqual(jumps(world.events()), [-25 * minuteMs])
        assert.deepStrictEqual(slots(world.events()), ["06:10 run", "06:20 run", "06:30 run"])
        yield* world.pass(minuteMs)
        assert.deepStrictEqual(slots(world.events()).slice(3), ["06:40 run"])
        assert.deepStrictEqual(checkRuns(world.events()), [])
      })
    ))

  it("back, and the schedule edited meanwhile: what is settled stays so, and the new schedule owes from there", () =>
    onClockThatIsSet((set) =>
      Effect.gen(function* () {
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills: [tick("10 minutes")] })
            yield* world.pass(31 * minuteMs)
            return world.disk
          })
        )
        set(-25 * minuteMs)
        const world = yield* makeWorld({ skills: [tick("7 minutes")], disk: before })
        yield* world.pass(hourMs)
        assert.deepStrictEqual(slots(world.events()).slice(0, 4), ["06:10 run", "06:20 run", "06:30 run", "06:31 run"])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 66 * minuteMs), [])
      })
    ))

  it("by as little as a clock that is kept right may be: nothing is said", () =>
    onClockThatIsSet((set) =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [tick("10 minutes")], lookEveryMs: 5_000 })
        for (const byMs of [1_500, -1_500, 2_000]) {
          set(byMs)
          yield* world.pass(minuteMs)
        }
        assert.deepStrictEqual(jumps(world.events()), [])
      })
    ))
})

describe("a clock that is not set when the runtime starts", () => {
  it("lets nothing happen until it is, and owes nothing from before", () =>
    onClockThatIsSet((set) =>
      Effect.gen(function* () {
        set(-beginningMs)
        const starting = yield* Effect.forkChild(makeWorld({ skills: [tick("10 minutes")], clockFromMs: youngestMs }))
        yield* TestClock.adjust(10 * minuteMs)
        assert.isUndefined(starting.pollUnsafe())
        set(beginningMs)
        yield* TestClock.adjust(1_000)
        const world = yield* Fiber.join(starting)
        yield* world.pass(10 * minuteMs)
        assert.deepStrictEqual(slots(world.events()), ["06:20 run"])
        assert.isTrue(world.events().every(({ atMs }) => atMs >= beginningMs))
      })
    ))
})
