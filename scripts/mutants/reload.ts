/** Broken promises of reloads. */
import { type Mutant, one } from "./mutant.ts"

const reloading = "test/layers/Reloading.test.ts"
const layer = "src/layers/Reloading.ts"

export const reloadMutants: ReadonlyArray<Mutant> = [
  one("a changed skill is not held", layer, "Effect.forEach(changing, hold,", "Effect.forEach([], hold,", reloading),
  one("a changed skill keeps its slot", layer, "      child.become(next.get(child.definition.name)!)\n", "", reloading),
  one("a skill that is gone keeps its runs", layer, "Effect.andThen(hold(child), cancelRuns(child))", "hold(child)", reloading),
  one("a cancel is asked once", layer, "const askAgainMs = 1_000", "const askAgainMs = 1e9", reloading),
  one("a skill that is gone keeps its actor", layer, "({ end }) => end", "() => Effect.void", reloading),
  one("a new skill gets no actor", layer, "Effect.forEach(added, start,", "Effect.forEach([], start,", reloading),
  one("chains stay as they were", layer, "    replaced()\n", "", reloading),
  one(
    "what may be under way at once stays",
    "src/machines/skill.ts",
    "change: assign({ atOnce: (_, atOnce: number) => atOnce })",
    "change: assign({})",
    reloading
  ),
  one(
    "a new problem is no reason to refuse",
    "src/layers/Runtime.ts",
    "if (wrong.length > 0) return",
    "if (wrong.length > 9) return",
    reloading
  ),
  one(
    "skills are taken for changed that are not",
    layer,
    "(same(entry, known.get(name) ?? entry) ? [] : [name])",
    "(known.has(name) ? [name] : [])",
    reloading
  ),
  one("SIGHUP is not heard", "src/cli/signals.ts", 'taken<"SIGHUP">(["SIGHUP"])', 'taken<"SIGHUP">([])', "test/cli/reload.test.ts"),
  one("a retry gets the old work", "src/layers/Supervisor.ts", "        own.current = next\n", "", reloading),
  one(
    "a secret that nobody knows is handed on",
    "src/layers/Holdfast.ts",
    "Effect.map(load, (read) => withSecretsKnown(read, new Set([...handed, ...(options.redact ?? [])])))",
    "Effect.map(load, (read) => withSecretsKnown(read, new Set(read.skills.flatMap((skill) => skill.env))))",
    "test/cli/reload.test.ts"
  )
]
