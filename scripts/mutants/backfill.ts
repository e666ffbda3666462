/** Broken promises of runs for slots of the past, and of how runs are listed. */
import { type Mutant, one } from "./mutant.ts"

const backfill = "test/layers/Backfill.test.ts"
const query = "test/domain/RunQuery.test.ts"
const checkers = "test/testing/checkers.test.ts"
const story = "test/domain/SlotStory.test.ts"

export const backfillMutants: ReadonlyArray<Mutant> = [
  one("a slot that has a run gets another one", "src/domain/Backfill.ts", "runs.has(run)", "false", backfill),
  one("a backfill takes slots that are still to be settled", "src/domain/Backfill.ts", "slotMs > settledThroughMs", "false", backfill),
  one(
    "a backfill takes slots whose history has gone",
    "src/layers/Backfill.ts",
    "oldest > 1 ? undefined",
    "oldest < 0 ? undefined",
    backfill
  ),
  one(
    "the slot at the beginning is left out",
    "src/domain/Backfill.ts",
    "Math.max(fromMs, firstMs) - 1",
    "Math.max(fromMs, firstMs)",
    backfill
  ),
  one("a backfill takes the newest slots", "src/layers/Backfill.ts", "open.slice(0, ", "open.slice(-", backfill),
  one("more backfilled runs wait than may", "src/layers/Backfill.ts", "Math.min(limit, waitingMax - waiting)", "limit", backfill),
  one("a backfill counts for the totals", "src/domain/Ledger.ts", "if (by !== undefined) return", 'if (by === "") return', backfill),
  one("nobody knows who asked for a backfill", "src/layers/Claims.ts", "{ by: asked.by }", "{}", backfill),
  one("a backfill works in any mode", "src/layers/Backfill.ts", 'if (!gate.open && gate.claimed !== "start")', "if (false)", backfill),
  one(
    "a backfill is refused in a pause",
    "src/layers/Backfill.ts",
    'if (!gate.open && gate.claimed !== "start")',
    "if (!gate.open)",
    backfill
  ),
  one("a backfilled run ends for being late", "src/layers/Run.ts", "run.by === undefined && ", "", backfill),
  one(
    "a checkpoint forgets who asked",
    "src/domain/canonical.ts",
    "  settled,\n  by\n",
    "  settled,\n  by: undefined\n",
    "test/failures/oracle.test.ts"
  ),
  one("the future can be backfilled", "src/layers/Backfill.ts", "if (toMs > (yield*", "if (toMs > 9e15 + (yield*", backfill),
  one("backfilled runs are told to no actor", "src/layers/Backfill.ts", '.status === "active"', '.status === "done"', backfill),
  one(
    "the checker takes two runs of a slot",
    "src/testing/checkers/slots.ts",
    "if (runs > 1) violations",
    "if (runs > 2) violations",
    checkers
  ),
  one(
    "the checker takes a backfill for a record",
    "src/testing/checkers/slots.ts",
    "          break\n        }\n",
    "        }\n",
    checkers
  ),
  one("a backfill is no part of the story", "src/domain/SlotStory.ts", "(claimed ?? backfilled ?? record)", "(claimed ?? record)", story),
  one(
    "a backfill hides the slots before it",
    "src/domain/SlotStory.ts",
    "slot <= atMs && slot > (owedMs ?? -Infinity)",
    "slot <= atMs",
    story
  ),
  one("runs of every outcome are listed", "src/domain/RunQuery.ts", "outcomes?.has(settled.outcome) === true", "true", query),
  one("runs that wait are listed unasked", "src/domain/RunQuery.ts", "? waiting :", "? true :", query),
  one("runs since then are all runs", "src/domain/RunQuery.ts", "claimedAtMs >= sinceMs", "true", query),
  one("runs until then are all runs", "src/domain/RunQuery.ts", "claimedAtMs <= untilMs", "claimedAtMs < untilMs", query)
]
