/** A skill of yours under a crash: real journal, real recovery, virtual time. The checkers look only at what is on record. */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Skill } from "holdfast/effect"
import { afterCrash, checkRuns, checkSlots, checkSteps, makeWorld } from "holdfast/testing"

const published: Array<string> = []
const post = (key: string) => Effect.andThen(Effect.sleep("10 seconds"), Effect.sync(() => void published.push(key)))
const posting = Skill.make({
  name: "posting",
  schedule: { every: "1 minute" },
  run: (ctx) => Effect.forEach(["post-1", "post-2", "post-3"], (name) => ctx.step(name, ({ key }) => post(key))).pipe(Effect.as({ posts: 3 }))
})

const crashes = Effect.gen(function*() {
  const before = yield* makeWorld({ skills: [posting] })
  yield* before.pass(75_000) // The slot of 00:01 is under way, its first post is out, its second is not.
  return afterCrash(before)
})
const program = Effect.gen(function*() {
  const after = yield* makeWorld({ skills: [posting], disk: yield* Effect.scoped(crashes) })
  yield* after.pass(40_000)
  const events = after.events()
  assert.deepEqual([...checkSlots(events, 60_000), ...checkRuns(events), ...checkSteps(events, [])], [])
  assert.deepEqual(published.map((key) => key.slice(-6)), ["post-1", "post-2", "post-3"])
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(TestClock.layer())))
console.log("held fast: one run, each post once")
