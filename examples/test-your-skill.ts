/** A skill of yours under a crash: real journal, real recovery, virtual time. The checkers look only at what is on record. */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Skill } from "holdfast/effect"
import { afterCrash, checkRuns, checkSlots, checkSteps, makeWorld } from "holdfast/testing"

const published: Array<string> = []
const publish = (name: string) => Effect.map(Effect.sleep("10 seconds"), () => published.push(name))
const skill = Skill.make({
  name: "posting",
  schedule: { every: "1 minute" },
  run: (ctx) => Effect.asVoid(Effect.forEach(["post-1", "post-2", "post-3"], (name) => ctx.step(name, () => publish(name))))
})

const crash = Effect.gen(function* () {
  const world = yield* makeWorld({ skills: [skill] })
  yield* world.pass(75_000) // The slot of 00:01 is under way: its first post is out, its second is not.
  return afterCrash(world)
})
const program = Effect.gen(function* () {
  const world = yield* makeWorld({ skills: [skill], disk: yield* Effect.scoped(crash) })
  yield* world.pass(40_000)
  const events = world.events()
  assert.deepEqual([...checkSlots(events, 60_000), ...checkRuns(events), ...checkSteps(events, [])], [])
  assert.deepEqual(published, ["post-1", "post-2", "post-3"])
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(TestClock.layer())))
console.log("held fast: one run, each post once")
