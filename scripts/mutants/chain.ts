/** Broken promises of chains. */
import { type Mutant, one } from "./mutant.ts"

const chain = "test/layers/Chain.test.ts"

export const chainMutants: ReadonlyArray<Mutant> = [
  one(
    "an end that failed is a success for who follows",
    "src/domain/Schedule.ts",
    'on === "success" ? outcome === "success" :',
    'on === "success" ? true :',
    chain
  ),
  one(
    "who follows is told at the next start",
    "src/layers/Supervisor.ts",
    'if (owed.length > 0) children.get(definition.name)?.actor.send({ type: "slot.due" })',
    "",
    chain
  ),
  one(
    "a slot of a chain is owed again after its record",
    "src/domain/Ledger.ts",
    "if (skill.owedAtMs.length > 0) skill.owedAtMs = skill.owedAtMs.filter((atMs) => atMs > throughMs)",
    "",
    "test/domain/Ledger.test.ts",
    chain
  ),
  one(
    "a start forgets what chains owe",
    "src/domain/canonical.ts",
    "...(owedAtMs.length === 0 ? {} : { owedAtMs })",
    "...{}",
    "test/domain/Ledger.test.ts"
  ),
  one("a circle is followed", "src/domain/Chain.ts", "if (next === name)", "if (false)", chain)
]
