/** Broken promises of what overlaps. */
import { type Mutant, one } from "./mutant.ts"

const overlap = "test/layers/Overlap.test.ts"

export const overlapMutants: ReadonlyArray<Mutant> = [
  one(
    "more runs are under way than may be",
    "src/machines/skill.ts",
    ".slice(0, Math.max(0, atOnce - working))",
    ".slice(0, atOnce)",
    overlap
  ),
  one(
    "a run that has ended stays in its skill's actor",
    "src/machines/skill.ts",
    "      enqueue.stopChild(ended) // It has ended, and is not forgotten by itself.\n",
    "",
    overlap
  ),
  one(
    "a run that ended is not forgotten by name",
    "src/machines/skill.ts",
    "started: context.started.filter((run) => run !== ended)",
    "started: context.started",
    overlap
  ),
  one(
    "the first waits and the second too",
    "src/domain/policies/overlap.ts",
    'return waiting[0] === undefined ? { _tag: "Run" }',
    'return waiting.length < 2 ? { _tag: "Run" }',
    overlap
  ),
  one(
    "a run gives way that nobody replaces",
    "src/layers/Skill.ts",
    "if (claimed[0] !== undefined && decision.onTime) yield* giveWay(overlap, claimed[0].run, sendBack)",
    'yield* giveWay(overlap, claimed[0]?.run ?? "nobody", sendBack)',
    overlap
  ),
  one("a grace where none is due", "src/layers/Overlap.ts", "  if (grace) return\n", "  if (grace || !grace) return\n", overlap),
  one("no grace where one is due", "src/layers/Overlap.ts", "  if (grace) return\n", "", overlap),
  one(
    "a run by hand minds no policy",
    "src/layers/Trigger.ts",
    "    definition.overlap,\n    actor",
    '    "allowAll",\n    actor',
    overlap
  ),
  one(
    "missed slots replace what is under way",
    "src/layers/Skill.ts",
    'cause === "due" ? decideOverlap',
    'cause !== "released" ? decideOverlap',
    overlap
  ),
  one("what waits cannot be cancelled", "src/machines/skill.ts", "one.run === run ? { ...one, cancelled: by } : one", "one", overlap),
  one(
    "what was cancelled waits for the mode",
    "src/machines/skill.ts",
    "    ...waiting.filter(cannotWait),\n",
    "    ...(gate.open ? waiting.filter(cannotWait) : []),\n",
    overlap
  ),
  one(
    "what was cancelled before it began is tried",
    "src/machines/run.ts",
    "isCancelled: ({ context }) => context.cancelled !== undefined",
    "isCancelled: ({ context }) => context.cancelled === null",
    overlap
  )
]
