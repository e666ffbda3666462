import { Effect, Logger } from "effect"
import { assert, it } from "vitest"
import { slowMs } from "../domain/fuzz.ts"
import { fuzzReading, fuzzSending } from "./frameFuzz.ts"

it("any frame is refused by a code, or is one that JSON and the schema know", () => {
  const { accepted, refused, slowestMs, wrong } = fuzzReading(2_000, 1)
  assert.isUndefined(wrong)
  assert.isBelow(slowestMs, slowMs)
  assert.isAbove(accepted, 300)
  for (const code of ["FRAME_SYNTAX", "FRAME_SHAPE", "FRAME_TOO_DEEP"]) assert.isAbove(refused[code]!, 50, code)
})

it("whatever is sent, a connection comes to an end that has a reason, or its call to an answer", async () => {
  const { counted, ends, wrong } = await Effect.runPromise(Effect.provide(fuzzSending(40, 1), Logger.layer([])))
  assert.isUndefined(wrong)
  assert.isAbove(ends["answered"]!, 10)
  assert.isAbove(Object.keys(ends).length, 2)
  assert.isAbove(counted.unknownFrame, 20)
})
