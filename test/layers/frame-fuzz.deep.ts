import { Effect, Logger } from "effect"
import { assert, it } from "vitest"
import { slowMs, told } from "../domain/fuzz.ts"
import { fuzzReading, fuzzSending } from "./frameFuzz.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** A budget of kills counts as so many times a thousand frames that are read, and twenty connections. */
const kills = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)

it("any frame is refused by a code, or is one that JSON and the schema know", () => {
  const report = fuzzReading(kills * 1_000, seed)
  console.log(told("frames", kills * 1_000, seed, report))
  assert.isUndefined(report.wrong, `seed ${seed}`)
  assert.isBelow(report.slowestMs, slowMs)
})

it("whatever is sent, a connection comes to an end that has a reason, or its call to an answer; nothing piles up", async () => {
  const unhandled: Array<unknown> = []
  const hear = (error: unknown) => unhandled.push(error)
  process.on("unhandledRejection", hear).on("uncaughtException", hear)
  const { connections, frames, ends, counted, grownMb, slowestMs, wrong } = await Effect.runPromise(
    Effect.provide(fuzzSending(kills * 20, seed), Logger.layer([]))
  )
  process.off("unhandledRejection", hear).off("uncaughtException", hear)
  console.log(
    `connections: ${connections}, seed ${seed}, ${frames} frames, slowest ${slowestMs.toFixed(0)} ms, ` +
      `heap ${grownMb >= 0 ? "+" : ""}${grownMb.toFixed(1)} MB, ends ${JSON.stringify(ends)}, counted ${JSON.stringify(counted)}`
  )
  assert.isUndefined(wrong, `seed ${seed}`)
  assert.deepStrictEqual(unhandled, [])
  assert.isBelow(grownMb, 20)
})
