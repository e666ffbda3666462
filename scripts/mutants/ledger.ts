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
    "          this.outbox.delete(event.run)\n          this.parked.set",
    "          this.parked.set",
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
  one("the latest runs are forgotten", file, "settled.slice(0, -runsRemembered)", "settled.slice(runsRemembered)", oracle),
  one(
    "runs under way are forgotten",
    file,
    '[...this.runs.values()].filter((run) => run.phase === "settled")\n    for',
    "[...this.runs.values()]\n    for",
    oracle
  ),
  one("a report that is sent again keeps its first frame", file, "entry.sent = { atMs", "entry.sent ??= { atMs", oracle),
  one(
    "a released run waits for what it waited for before",
    file,
    '          run.phase = "retryable"\n          run.retryAtMs = event.atMs\n',
    '          run.phase = "retryable"\n',
    oracle
  ),
  one(
    "a skill that is adopted again is no longer paused",
    file,
    "      ...known,\n",
    "      ...known,\n      paused: undefined,\n",
    oracle
  ),
  one(
    "a checkpoint forgets which reports were sent",
    "src/domain/canonical.ts",
    "{ ...rest, sent })",
    "{ ...rest, sent: undefined })",
    oracle
  ),
  one(
    "a checkpoint forgets when a run is tried again",
    "src/domain/canonical.ts",
    "  ...rest,\n  retryAtMs,\n",
    "  ...rest,\n  retryAtMs: undefined,\n",
    oracle
  ),
  one("the fence goes back", file, "this.fence = Math.max(this.fence, fence)", "this.fence = fence", oracle)
]
