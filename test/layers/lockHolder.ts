/**
 * A process that holds the state directory it is given, says so, and lives until it is told otherwise. With `wait` it says
 * that it is ready first, and tries when it is written to; what it is refused by it says as well.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore } from "../../src/layers/StateStore.ts"

const [directory = "", wait] = process.argv.slice(2)
const say = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`))
const held = Effect.gen(function* () {
  yield* StateStore
  yield* say("held")
  return yield* Effect.never
}).pipe(
  Effect.provide(StateStore.layer(directory)),
  Effect.catch(({ code }) => say(code)),
  Effect.provide(Disk.layerNode),
  Effect.provide(Logger.layer([]))
)
if (wait === undefined) Effect.runFork(held)
else {
  process.stdin.once("data", () => Effect.runFork(held))
  process.stdout.write("ready\n")
}
setInterval(() => {}, 60_000)
