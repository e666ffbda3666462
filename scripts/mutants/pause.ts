/** Broken promises of pauses, and of skills that were put aside. */
import { type Mutant, one } from "./mutant.ts"

const pausing = "test/layers/Pausing.test.ts"

export const pauseMutants: ReadonlyArray<Mutant> = [
  one(
    "a pause does not wait for the decision under way",
    "src/layers/Pausing.ts",
    "yield* decided(actor) //",
    "yield* Effect.timeoutOption(decided(actor), 0) //",
    pausing
  ),
  one("a pause does not close the gate", "src/layers/Pausing.ts", "  setPaused(pausedReason({ by, why }))\n", "", pausing),
  one(
    "the slots of a pause are on no record",
    "src/layers/Pausing.ts",
    "append(...skipped, event)",
    "append(...skipped.slice(1), event)",
    pausing
  ),
  one(
    "a pause ends with the runtime",
    "src/layers/Supervisor.ts",
    "wish && pausedReason(wish)",
    "wish && (pausedReason(wish), undefined)",
    pausing
  ),
  one("runs by hand wait in a pause", "src/machines/skill.ts", '(gate.open || gate.claimed === "start"', "(gate.open", pausing),
  one("later words stand on the slots before them", "src/layers/Pausing.ts", "before ?? { by, why }", "{ by, why }", pausing),
  one(
    "two releases at once are both done",
    "src/layers/ByHand.ts",
    "Effect.uninterruptible(releasing.withPermit(effect))",
    "Effect.uninterruptible(effect)",
    "test/layers/Supervisor.test.ts"
  ),
  one(
    "the crashes before a release count after it",
    "src/machines/supervisor.ts",
    "new Map(context.failuresAtMs).set(skill, [])",
    "context.failuresAtMs",
    "test/machines/supervisor.test.ts"
  ),
  one(
    "a release is told to nobody",
    "src/layers/ByHand.ts",
    "if (child === undefined) released(skill)",
    "if (child === undefined) return",
    "test/layers/Supervisor.test.ts"
  )
]
