/** The census of processes, in virtual time: a look takes as long as the test says. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { makeCensus } from "../../src/layers/Census.ts"

/** A look of ten milliseconds that sees its own number. */
const counted = () => {
  const looks = { made: 0 }
  const look = Effect.gen(function* () {
    const number = ++looks.made
    yield* Effect.sleep(10)
    return [{ pid: number, group: 0, directory: undefined }]
  })
  return { looks, look }
}
const asking = <A>(census: Effect.Effect<A>) => Effect.forkChild(census, { startImmediately: true })

describe("a census", () => {
  it.effect("is one look for all who ask while it rests, however many they are", () =>
    Effect.gen(function* () {
      const { looks, look } = counted()
      const census = yield* makeCensus(look)
      const first = yield* asking(census)
      yield* TestClock.adjust(11)
      assert.strictEqual((yield* Fiber.join(first))[0]!.pid, 1)
      const many = yield* Effect.forEach(Array(100).keys(), () => asking(census))
      yield* TestClock.adjust(100)
      const answers = yield* Effect.forEach(many, Fiber.join)
      assert.deepStrictEqual(new Set(answers.map((members) => members[0]!.pid)), new Set([2]))
      assert.strictEqual(looks.made, 2)
    })
  )

  it.effect("is never older than the question", () =>
    Effect.gen(function* () {
      const { looks, look } = counted()
      const census = yield* makeCensus(look)
      yield* asking(census)
      yield* TestClock.adjust(5)
      assert.strictEqual(looks.made, 1)
      const later = yield* asking(census) // What it asks about may have happened after that look began.
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(later))[0]!.pid, 2)
    })
  )

  it.effect("rests four times as long as a look took, and not at all when nobody asked for a while", () =>
    Effect.gen(function* () {
      const { looks, look } = counted()
      const census = yield* makeCensus(look)
      yield* asking(census)
      yield* TestClock.adjust(10)
      yield* asking(census)
      yield* TestClock.adjust(39)
      assert.strictEqual(looks.made, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(looks.made, 2)
      yield* TestClock.adjust(1_000)
      yield* asking(census)
      assert.strictEqual(looks.made, 3)
    })
  )

  it.effect("goes on for the others when one who asked is interrupted", () =>
    Effect.gen(function* () {
      const { look } = counted()
      const census = yield* makeCensus(look)
      const [first, second] = [yield* asking(census), yield* asking(census)]
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(100)
      assert.isDefined(second.pollUnsafe())
    })
  )
})
