/** Events that mean something else to the ledger than to everybody. */
import { type Mutant, one } from "./mutant.ts"

const file = "src/domain/Ledger.ts"
const oracle = "test/failures/oracle.test.ts"

export const ledgerMutants: ReadonlyArray<Mutant> = [
  one(
    "a settled run can be settled again",
    file,
    'if (run === undefined || run.phase === "settled") return\n    run.phase',
    "if (run === undefined) return\n    run.phase",
    oracle
  ),
  one("a claim made twice begins the run anew", file, "    if (this.runs.has(run)) return\n", "", oracle),
  one("a new schedule owes what was settled before", file, "Math.max(event.from, known?.settledThroughMs ?? 0)", "event.from", oracle),
  one("a manual run settles a slot", file, 'if (run.includes("+manual-")) return', 'if (run === "") return', oracle),
  one(
    "a report that was given up is still waiting",
    file,
    "if (this.outbox.delete(event.run)) this.parked.set",
    "if (this.outbox.has(event.run)) this.parked.set",
    oracle
  ),
  one(
    "an unfinished step counts as done",
    file,
    'run.steps.set(event.step, "started")',
    "run.steps.set(event.step, { result: null })",
    oracle
  ),
  one("a success keeps the count of failures", file, 'event.outcome === "success" ? 0 : skill.failures + 1', "skill.failures + 1", oracle),
  one("the fence goes back", file, "this.fence = Math.max(this.fence, fence)", "this.fence = fence", oracle)
]
