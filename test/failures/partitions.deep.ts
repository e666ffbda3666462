import { Effect } from "effect"
import { assert, it } from "vitest"
import { type Partitioned, partitions, unable } from "./partitions.ts"

/** Rounds in all, in four worlds beside each other. */
const rounds = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)
const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
const because = unable()
if (because !== undefined) console.log(`partitions: skipped, because ${because}`)

it.skipIf(because !== undefined)(`${rounds} partitions delay no run, lose nothing, and tell nothing twice`, async () => {
  const worlds = await Effect.runPromise(
    Effect.all(
      [1, 2, 3, 4].map((number) => Effect.scoped(partitions(Math.ceil(rounds / 4), seed + number, number))),
      { concurrency: "unbounded" }
    )
  )
  const sum = (of: (world: Partitioned) => number) => worlds.reduce((total, world) => total + of(world), 0)
  const late = worlds.flatMap((world) => world.late).toSorted((a, b) => a - b)
  const at = (share: number) => late[Math.ceil(share * late.length) - 1]
  console.log(
    `partitions: seed ${seed}, ${sum((world) => world.rounds)} rounds, ${sum(({ slots }) => slots)} runs, ${sum(({ rows }) => rows)} rows, ` +
      `${late.length} begun ${at(0.5)} ms late (median), ${at(0.99)} ms (p99), ${at(1)} ms at worst`
  )
  for (const [fault, times] of Map.groupBy(
    worlds.flatMap(({ noticed }) => noticed),
    ({ fault }) => fault
  )) {
    const took = times.map(({ afterMs }) => afterMs).toSorted((a, b) => a - b)
    console.log(`  ${fault}: noticed ${took.length} times, after ${took[took.length >> 1]} ms (median), ${took.at(-1)} ms at worst`)
  }
  assert.deepStrictEqual(
    worlds.flatMap(({ violations, directory }) => violations.map((violation) => ({ ...violation, directory }))),
    []
  )
  assert.isBelow(at(0.99)!, 1_000)
})
