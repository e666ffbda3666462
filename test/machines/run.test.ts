/** One run without any hands: which modes it passes through, whatever its ports answer. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { AttemptEnd } from "../../src/domain/Attempt.ts"
import { fromEffect, plug, runMachine as start } from "../../src/layers/actor.ts"
import { type RunInput, runMachine, type Settlement } from "../../src/machines/run.ts"
import { inVirtualTime } from "../property.ts"

const run = "job@20261122T060000Z"
const input: RunInput = {
  run,
  retry: { attemptsMax: 3, firstMs: 1_000, capMs: 5_000 },
  pools: [],
  attempts: 0,
  failedAttempts: 0,
  retryInMs: undefined,
  interrupted: undefined
}
const succeeded: AttemptEnd = { _tag: "Succeeded", fields: { posts: 4 }, summary: "four posts" }
const failed = (retryable = true): AttemptEnd => ({ _tag: "Failed", code: "RUN_EXIT", reason: "exit 1", retryable })

/** A run whose attempts end like these, one after another; each takes a second. What its ports were asked, in order. */
const running = Effect.fnUntraced(function* (ends: ReadonlyArray<AttemptEnd | "defect" | "endless">, change: Partial<RunInput> = {}) {
  const asked: Array<string> = []
  const note = (what: string): Effect.Effect<void> =>
    Effect.sync(() => {
      asked.push(what)
    })
  let next = 0
  const working =
    (port: string) =>
    ({ input }: { input: { readonly run: string; readonly attempt: number } }) => {
      asked.push(`${port} ${input.attempt}`)
      const end = ends[next++] ?? "endless"
      return Effect.onInterrupt(
        end === "endless"
          ? Effect.never
          : Effect.andThen(Effect.sleep(1_000), end === "defect" ? Effect.die(new Error("a bug")) : Effect.succeed(end)),
        () => Effect.andThen(Effect.sleep(500), note("attempt ended"))
      )
    }
  const { actor, awaitDone } = yield* start(
    plug(runMachine, {
      attempt: fromEffect(working("attempt")),
      adopt: fromEffect(working("adopt")),
      recordFailure: fromEffect(
        ({ input }: { input: { readonly run: string; readonly attempt: number; readonly reason: string; readonly backoffMs: number } }) =>
          note(`failure of ${input.attempt}: ${input.reason}, again in ${input.backoffMs}`)
      ),
      link: fromEffect(() => Effect.andThen(note("link asked for"), Effect.sleep(60_000))),
      park: fromEffect(({ input }: { input: { readonly run: string; readonly reason: string } }) => note(`parked ${input.reason}`)),
      settle: fromEffect(({ input }: { input: { readonly run: string; readonly settlement: Settlement } }) =>
        note(`${input.settlement.outcome} ${input.settlement.reason}`.trim())
      )
    }),
    { input: { ...input, ...change } }
  )
  yield* TestClock.adjust(1)
  return { actor, awaitDone, asked, value: () => actor.getSnapshot().value, tags: () => [...actor.getSnapshot().tags] }
})

describe("a run", () => {
  it("that succeeds is settled with what it gave, and is done with it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, awaitDone, tags, value } = yield* running([succeeded])
        assert.deepStrictEqual([value(), tags()], [{ executing: "working" }, ["operational"]])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(asked, ["attempt 1", "success"])
        assert.deepStrictEqual(yield* awaitDone, { outcome: "success", reason: "", fields: { posts: 4 }, summary: "four posts" })
        assert.deepStrictEqual([value(), tags()], ["settled", ["stopped"]])
      })
    ))

  it("that fails waits in a state of its own, longer each time, until no try is left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, tags, value } = yield* running([failed(), failed(), failed()])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual([value(), tags()], ["retryable", ["degraded"]])
        yield* TestClock.adjust(20_000)
        assert.deepStrictEqual(asked, [
          "attempt 1",
          "failure of 1: exit 1, again in 1000",
          "attempt 2",
          "failure of 2: exit 1, again in 2000",
          "attempt 3",
          "failed RUN_EXIT: exit 1"
        ])
      })
    ))

  it("that fails for want of the link is tried again once that is there, and may be cancelled before", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const away = { ...failed(), class: "link" } as AttemptEnd
        const { asked, tags, value } = yield* running([away, failed(), succeeded])
        yield* TestClock.adjust(2_000)
        assert.deepStrictEqual([value(), tags()], ["linking", ["degraded"]])
        yield* TestClock.adjust(59_000)
        assert.strictEqual(asked.at(-1), "link asked for")
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(asked, [
          "attempt 1",
          "failure of 1: exit 1, again in 1000",
          "link asked for",
          "attempt 2",
          "failure of 2: exit 1, again in 2000",
          "attempt 3",
          "success"
        ])
        const other = yield* running([away])
        yield* TestClock.adjust(2_000)
        other.actor.send({ type: "run.cancel", by: "operator" })
        yield* TestClock.adjust(1)
        assert.strictEqual(other.asked.at(-1), "cancelled cancelled by operator")
      })
    ))

  it("whose failure cannot be helped by another try has none", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* running([failed(false)])
        yield* TestClock.adjust(20_000)
        assert.deepStrictEqual(asked, ["attempt 1", "failed RUN_EXIT: exit 1"])
      })
    ))

  it("whose attempt ends by a defect of ours is failed as one, and not tried again", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* running(["defect"])
        yield* TestClock.adjust(20_000)
        assert.strictEqual(asked.length, 2)
        assert.match(asked[1] ?? "", /^failed defect: .*a bug/)
      })
    ))
})

describe("a run whose steps are not those on record", () => {
  const mismatched: AttemptEnd = { _tag: "Mismatched", reason: "STEP_HISTORY_MISMATCH: why" }

  it("is parked in a state of its own, without an outcome, and makes room for the next", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, awaitDone, tags, value } = yield* running([mismatched])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(asked, ["attempt 1", "parked STEP_HISTORY_MISMATCH: why"])
        assert.deepStrictEqual([value(), tags()], ["parked", ["degraded"]])
        assert.isUndefined(yield* awaitDone)
      })
    ))

  it("is cancelled all the same where that was asked for first", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked } = yield* running(["endless"])
        actor.send({ type: "run.cancel", by: "operator" })
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(asked.slice(1), ["attempt ended", "cancelled cancelled by operator"])
      })
    ))
})

describe("run.cancel", () => {
  it("waits in a state of its own until the attempt has ended what it started", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, value } = yield* running(["endless"])
        actor.send({ type: "run.cancel", by: "operator" })
        yield* TestClock.adjust(499)
        assert.deepStrictEqual([value(), asked], [{ executing: "cancelling" }, ["attempt 1"]])
        actor.send({ type: "run.cancel", by: "somebody else" })
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(asked, ["attempt 1", "attempt ended", "cancelled cancelled by operator"])
      })
    ))

  it("comes too late for an attempt that has succeeded meanwhile", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked } = yield* running([succeeded])
        yield* TestClock.adjust(1_000)
        actor.send({ type: "run.cancel", by: "operator" })
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(asked, ["attempt 1", "success"])
      })
    ))
})

describe("a run taken up after a crash", () => {
  it("waits what was left of its delay", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, value } = yield* running([succeeded], { attempts: 1, failedAttempts: 1, retryInMs: 700 })
        assert.deepStrictEqual([value(), asked], ["retryable", []])
        yield* TestClock.adjust(698)
        assert.deepStrictEqual(asked, [])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(asked, ["attempt 2"])
        yield* TestClock.adjust(1_000)
      })
    ))

  it("goes on counting: failures before the crash are tries that were had, the interrupted one is not", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* running([failed(), failed()], { attempts: 2, failedAttempts: 1 })
        yield* TestClock.adjust(20_000)
        assert.deepStrictEqual(asked, ["attempt 3", "failure of 3: exit 1, again in 2000", "attempt 4", "failed RUN_EXIT: exit 1"])
      })
    ))

  it("that is to stay interrupted is settled so, without another attempt", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* running([], { attempts: 1, interrupted: "the skill says so" })
        assert.deepStrictEqual(asked, ["interrupted the skill says so"])
      })
    ))
})

describe("a run whose attempt outlived the runtime", () => {
  const survives = { attempts: 2, failedAttempts: 1, survives: true }

  it("goes on with it in a state of its own, and counts no new one", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, tags, value } = yield* running([succeeded], survives)
        assert.deepStrictEqual([value(), tags(), asked], [{ adopting: "working" }, ["operational"], ["adopt 2"]])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual([value(), asked], ["settled", ["adopt 2", "success"]])
      })
    ))

  it("waits for its end where it is to be cancelled, or was to stay interrupted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, value } = yield* running(["endless"], {
          ...survives,
          cancelled: "operator",
          interrupted: "the skill says so"
        })
        actor.send({ type: "run.cancel", by: "operator" })
        yield* TestClock.adjust(499)
        assert.deepStrictEqual([value(), asked], [{ adopting: "cancelling" }, ["adopt 2"]])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(asked, ["adopt 2", "attempt ended", "cancelled cancelled by operator"])
      })
    ))

  it("has further attempts as after any other, or is interrupted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked } = yield* running([failed(), succeeded], survives)
        yield* TestClock.adjust(20_000)
        assert.deepStrictEqual(asked, ["adopt 2", "failure of 2: exit 1, again in 2000", "attempt 3", "success"])
        const left = yield* running([{ _tag: "Interrupted", reason: "nobody knows" }], survives)
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(left.asked, ["adopt 2", "interrupted nobody knows"])
      })
    ))
})
