/** Broken promises of reports that had to wait, and of those that are parked. */
import { type Mutant, one } from "./mutant.ts"

const domain = "src/domain/Backlog.ts"
const ledger = "src/domain/Ledger.ts"
const backlog = "test/layers/Backlog.test.ts"
const parked = "test/layers/ParkedEntries.test.ts"

export const backlogMutants: ReadonlyArray<Mutant> = [
  one(
    "the folders of a digest's runs go before anybody was told of them",
    "src/layers/Compaction.ts",
    "digested.has(run) ||",
    "",
    "test/layers/Compaction.test.ts"
  ),
  one("the folder of a parked report goes", "src/layers/Compaction.ts", "ledger.parked.has(run) ||", "", "test/layers/Compaction.test.ts"),
  one(
    "a digest takes in what may stand in the transcript",
    domain,
    "sent === undefined && runs === undefined",
    "runs === undefined",
    backlog
  ),
  one("the reports of a digest are sent as well", ledger, "for (const run of runs) this.outbox.delete(run)", "", backlog),
  one("a digest is made of a few reports", domain, "rest.length < digest.above ||", "", backlog),
  one("a digest is made of young reports", domain, " || nowMs - first!.settledAtMs <= digest.afterMs", "", backlog),
  one("a digest mixes the sessions", domain, '`${via ?? ""} ${session}`', '`${via ?? ""}`', backlog),
  one("the oldest report stands in for the newer ones", domain, "entry.settledAtMs >= known.settledAtMs", "false", backlog),
  one("reports collapse that do not say so", domain, "entry.collapse === undefined || ", "", backlog),
  one(
    "a digest is forgotten where its link has caught up",
    "src/layers/Outbox.ts",
    "|| runs?.some((one) => waited.has(one)) === true",
    "",
    backlog
  ),
  one(
    "what was sent and is too old is sent again",
    "src/layers/Outbox.ts",
    "if (isExpired(entry, nowMs)) return yield* park(entry, expired(entry))",
    "",
    backlog
  ),
  one(
    "a redriven report forgets that it was sent",
    ledger,
    "this.outbox.set(run, rest)",
    "this.outbox.set(run, { ...rest, sent: undefined })",
    parked
  ),
  one("a redriven report expires again", ledger, "this.outbox.set(run, rest)", "this.outbox.set(run, entry)", parked),
  one(
    "a report that was given up stays parked",
    ledger,
    "        this.parked.delete(event.run)\n        return\n",
    "        return\n",
    parked
  ),
  one(
    "a checkpoint forgets what a parked report says",
    "src/domain/canonical.ts",
    "{ atMs: more.atMs, entry: entryOf(more.entry) }",
    "{ atMs: more.atMs }",
    "test/layers/Compaction.test.ts"
  )
]
