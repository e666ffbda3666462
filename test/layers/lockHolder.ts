/** A process that holds the state directory it is given, says so, and lives until it is told otherwise. */
import * as Effect from "effect/Effect"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore } from "../../src/layers/StateStore.ts"

const held = Effect.gen(function* () {
  yield* StateStore
  yield* Effect.sync(() => process.stdout.write("held\n"))
  return yield* Effect.never
})
Effect.runFork(held.pipe(Effect.provide(StateStore.layer(process.argv[2]!)), Effect.provide(Disk.layerNode)))
setInterval(() => {}, 60_000)
