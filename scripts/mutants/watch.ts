/** Broken promises of what is seen from outside while the event loop stands still, and of skills that hold a loop of their own. */
import { type Mutant, one } from "./mutant.ts"

const thread = "test/watch/main.test.ts"
const layer = "test/layers/Watch.test.ts"

export const watchMutants: ReadonlyArray<Mutant> = [
  {
    name: "a process that is stopped counts as stalled",
    edits: [
      { file: "src/watch/main.ts", find: "let stoodMs = 0", put: "let stoodMs = 0\nlet movedAtMs = Date.now()" },
      { file: "src/watch/main.ts", find: "stoodMs += everyMs", put: "stoodMs = Date.now() - movedAtMs" },
      { file: "src/watch/main.ts", find: "  seen = count\n", put: "  seen = count\n  movedAtMs = Date.now()\n" }
    ],
    tests: [thread]
  },
  one("the picture of another process is written into", "src/watch/main.ts", "picture.pid !== process.pid || ", "", thread),
  one(
    "a picture that comes late hides the stall",
    "src/watch/main.ts",
    "stoodMs >= stalledAfterMs) tell()",
    "stoodMs === stalledAfterMs) tell()",
    thread
  ),
  one("a stall is written after its end", "src/watch/main.ts", "if (Atomics.load(counter, 0) === seen) renameSync", "renameSync", thread),
  one("a draft of the watch thread stays", "src/watch/main.ts", "rmSync(draft, { force: true })", "", thread),
  {
    name: "the watch thread writes into the picture itself",
    edits: [
      { file: "src/watch/main.ts", find: "writeFileSync(draft,", put: "writeFileSync(view," },
      { file: "src/watch/main.ts", find: `flag: "wx"`, put: `flag: "w"` },
      { file: "src/watch/main.ts", find: "renameSync(draft, view)", put: "return" }
    ],
    tests: [thread]
  },
  {
    name: "the end of a stall is told before it has come",
    edits: [
      {
        file: "src/watch/main.ts",
        find: "stoodMs >= stalledAfterMs) tell()",
        put: "stoodMs === stalledAfterMs) (tell(), parentPort?.postMessage({ forMs: stoodMs }))"
      },
      { file: "src/watch/main.ts", find: "  if (stoodMs >= stalledAfterMs) parentPort", put: "  if (stoodMs < 0) parentPort" }
    ],
    tests: [thread]
  },
  one("half a second counts as a stall", "src/layers/Watch.ts", "const stalledAfterMs = 2_000", "const stalledAfterMs = 500", layer),
  one("a stall is told after four seconds", "src/layers/Watch.ts", "const stalledAfterMs = 2_000", "const stalledAfterMs = 3_500", layer),
  one("the loop moves nothing", "src/layers/Watch.ts", "Atomics.add(beats, 0, 1)", "Atomics.add(beats, 0, 0)", layer),
  one(
    "a stall is on no record",
    "src/layers/Watch.ts",
    `Effect.ignore(store.append({ type: "runtime.stalled", forMs }))`,
    "Effect.void",
    layer
  ),
  one("the watch thread outlives the runtime", "src/layers/Watch.ts", "Effect.promise(() => thread.terminate())", "Effect.void", layer),
  one(
    "a watch thread that ends is no news",
    "src/layers/Watch.ts",
    `thread.on("error", (error: Error) => Queue.failCauseUnsafe(said, Cause.fail(error)))`,
    `thread.on("error", () => {})`,
    layer
  ),
  one("a stalled runtime is well", "src/cli/standing.ts", "running && picture.stalled !== undefined", "picture.stalled === null", layer),
  {
    name: "attempts take turns",
    edits: [
      {
        file: "src/layers/Run.ts",
        find: `import * as Effect from "effect/Effect"\n`,
        put: `import * as Effect from "effect/Effect"\nimport * as Semaphore from "effect/Semaphore"\n`
      },
      { file: "src/layers/Run.ts", find: "const bind = (underWay", put: "const turns = Semaphore.makeUnsafe(1)\nconst bind = (underWay" },
      {
        file: "src/layers/Run.ts",
        find: "underWay.during(facts, steps, perform(entry, facts, steps, beginPrompt))",
        put: "turns.withPermits(1)(underWay.during(facts, steps, perform(entry, facts, steps, beginPrompt)))"
      }
    ],
    tests: ["test/failures/isolation.test.ts"]
  }
]
