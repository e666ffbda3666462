import { assert, it } from "vitest"
import { inVirtualTime } from "../property.ts"
import { Effect } from "effect"
import { reconnects } from "./reconnects.ts"

const count = 500 * Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)

it(`${count} reconnections leave nothing behind`, async () => {
  const startedAt = performance.now()
  await inVirtualTime(
    Effect.gen(function* () {
      const { early, late, ends } = yield* reconnects(count)
      console.log(
        `reconnects: ${ends} in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n  after a fifth ${JSON.stringify(early)}\n  at the end    ${JSON.stringify(late)}`
      )
      assert.isAtLeast(ends, count)
      assert.deepStrictEqual(late.handles, early.handles)
      assert.strictEqual(late.listeners, early.listeners)
      assert.isBelow(late.heapMb, early.heapMb + 5)
    })
  )
})
