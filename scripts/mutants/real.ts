/** Broken promises that real processes and real file systems notice. */
import { type Mutant, one } from "./mutant.ts"

const boundaries = "test/failures/boundaries.test.ts"
/** With so many cuts on each file system. */
const cuts = (kills: number, name: string, file: string, find: string, put: string): Mutant => ({
  ...one(name, file, find, put, "test/failures/power-cuts.deep.ts"),
  kills
})

export const realMutants: ReadonlyArray<Mutant> = [
  one(
    "killed: an append is acknowledged before it is written",
    "src/layers/Journal.ts",
    "      yield* write(bytes)\n",
    "      for (const { resume } of batch) resume(Effect.void)\n      yield* write(bytes)\n",
    boundaries
  ),
  one("killed: half an append is read", "src/domain/JournalReading.ts", "      if (line.more > 0) continue\n", "", boundaries),
  one("killed: the lock is shared", "src/layers/Lock.ts", "BEGIN EXCLUSIVE", "BEGIN", boundaries),
  cuts(
    60,
    "cut: an append is acknowledged before its sync",
    "src/layers/Journal.ts",
    "      yield* prove()\n",
    "      for (const { resume } of batch) resume(Effect.void)\n      yield* prove()\n"
  ),
  cuts(
    60,
    "cut: the data of a segment is not synced",
    "src/layers/Segment.ts",
    "    datasync: file.datasync,",
    "    datasync: Effect.void,"
  ),
  cuts(
    120,
    "cut: a failed sync is taken for one that was done",
    "src/layers/Journal.ts",
    "if (Result.isFailure(synced)) return yield* failedBy(synced.failure)",
    ""
  ),
  cuts(120, "cut: a checkpoint is not synced before it has its name", "src/layers/Compaction.ts", "      yield* file.datasync\n", ""),
  cuts(120, "cut: a backup is not synced", "src/layers/Backup.ts", "        yield* file.datasync\n", ""),
  cuts(
    120,
    "cut: what can be read is taken for durable",
    "src/layers/Recovery.ts",
    "return { ledger, proven, unproven, unknown,",
    "return { ledger, proven: reading.last, unproven: [], unknown,"
  )
]
