/** Broken promises of the state service. */
import { type Mutant, one } from "./mutant.ts"

const journal = "test/layers/Journal.test.ts"
const store = "test/layers/StateStore.test.ts"
const compaction = "test/layers/Compaction.test.ts"
const reserve = "test/layers/Reserve.test.ts"
const fuzz = "test/failures/journal-fuzz.test.ts"
const badInput = "test/failures/bad-input-state.test.ts"
const repair = "test/layers/Repair.test.ts"
const migration = "test/layers/Migration.test.ts"

export const journalMutants: ReadonlyArray<Mutant> = [
  one(
    "an append is acknowledged before its sync",
    "src/layers/Journal.ts",
    "      yield* prove()\n",
    "      for (const { resume } of batch) resume(Effect.void)\n      yield* prove()\n",
    journal
  ),
  one(
    "a failed sync is repeated",
    "src/layers/Journal.ts",
    "if (Result.isFailure(synced)) return yield* failedBy(synced.failure)",
    "if (Result.isFailure(synced)) yield* Effect.catch(segment.datasync, failedBy)",
    journal
  ),
  one(
    "a fenced writer acknowledges",
    "src/layers/Segment.ts",
    'if (Result.isSuccess(later) && later.success !== undefined) return { _tag: "Fenced", path: successor }',
    "",
    journal
  ),
  one(
    "what a refused write left is not cut",
    "src/layers/Segment.ts",
    "clean ? file.append(bytes) : Effect.andThen(file.truncate(length), file.append(bytes))",
    "file.append(bytes)",
    journal
  ),
  one(
    "a segment that lost its name is written on",
    "src/layers/Segment.ts",
    '{ _tag: "Ours" } : { _tag: "Replaced", path, got: "no such file" }',
    '{ _tag: "Ours" } : { _tag: "Ours" }',
    journal
  ),
  one(
    "a segment whose directory is another one now is written on",
    "src/layers/Segment.ts",
    'return { _tag: "Replaced", path, got: "another directory" }',
    'return { _tag: "Ours" }',
    journal
  ),
  one("a birth is not synced", "src/layers/Segment.ts", "  yield* segment.datasync\n  segment.took", "  segment.took", journal),
  one(
    "the name of a segment is not synced",
    "src/layers/Segment.ts",
    "Effect.andThen(disk.syncDir(folder), Effect.all([disk.stat(path), disk.stat(folder)] as const))",
    "Effect.all([disk.stat(path), disk.stat(folder)] as const)",
    journal
  ),
  one(
    "a segment that could not be born is left",
    "src/layers/Journal.ts",
    "return yield* Effect.catch(disk.remove(fresh.path), failedBy)",
    "return",
    compaction,
    reserve
  ),
  one(
    "the reserve is never given up",
    "src/layers/Journal.ts",
    "full.has(code) && (yield* reserve.release)",
    "full.has(code) && false",
    reserve
  ),
  one(
    "the disk counts as free without its reserve",
    "src/layers/Journal.ts",
    '._tag !== "Writable" && reserve.held() && (yield* reserve.room) === undefined)',
    '._tag !== "Writable")',
    reserve
  ),
  one(
    "a refused start leaves its segment",
    "src/layers/StateStore.ts",
    "Effect.andThen(segment.close, Effect.ignore(disk.remove(segment.path)))",
    "segment.close",
    reserve,
    store
  ),
  one(
    "an older format is not kept",
    "src/layers/StateStore.ts",
    "if (found !== undefined && found < format) yield*",
    "if (found === -1) yield*",
    migration
  ),
  one("a torn copy of an older format is taken for one", "src/layers/Migration.ts", "  yield* disk.removeTree(folder)\n", "", migration),
  one(
    "damage that was durable is cut",
    "src/domain/JournalReading.ts",
    "if (claim >= durable) return corrupt(file, at, damaged)",
    "if (claim < 0) return corrupt(file, at, damaged)",
    journal,
    store,
    fuzz
  ),
  one(
    "a segment of another journal is read",
    "src/domain/JournalReading.ts",
    "header.after !== this.last.seq || header.chain !== hex(this.last.crc)",
    "header.after !== this.last.seq",
    store
  ),
  one("half an append is read", "src/domain/JournalReading.ts", "      if (line.more > 0) continue\n", "", store),
  one(
    "the count of settled runs is not in a checkpoint",
    "src/domain/canonical.ts",
    "Object.assign(ledger, totals)",
    "Object.assign(ledger, totals, { settled: 0 })",
    compaction
  ),
  one("a step's result is not in a checkpoint", "src/domain/canonical.ts", "  steps: new Map(steps),", "  steps: new Map(),", compaction),
  one(
    "a checkpoint that is not whole is used",
    "src/domain/Checkpoint.ts",
    'if (line._tag === "Damaged") return undefined',
    'if (line._tag === "Damaged") return header && { segment, place: { seq: header.after, crc: Number.parseInt(header.chain, 16) }, epoch: 0, ledger: reader.ledger, hash: "", chapters: [] }',
    compaction
  ),
  one(
    "segments go that only the newer checkpoint covers",
    "src/layers/Compaction.ts",
    "const firstKept = Math.min(older, base.chapters.find(kept)?.segment ?? older)",
    "const firstKept = base.segment",
    compaction
  ),
  one("history goes before its time", "src/layers/Compaction.ts", "base.chapters.find(kept)?.segment ?? older", "older", compaction),
  one("only one checkpoint is kept", "src/layers/Compaction.ts", "checkpoints.slice(0, -2)", "checkpoints.slice(0, -1)", compaction),
  one(
    "the folder of a run under way goes with history",
    "src/layers/Compaction.ts",
    "slotAtMs === undefined || open(run) ? []",
    "slotAtMs === undefined ? []",
    compaction
  ),
  one("a repair cuts before the copy is durable", "src/layers/Recovery.ts", "    yield* copy.datasync\n", "", repair),
  one(
    "a repair cuts without keeping",
    "src/layers/Recovery.ts",
    "yield* copy.append(bytes.subarray(offset))",
    "yield* Effect.void",
    repair
  ),
  one(
    "a repair cuts the whole of a damaged segment",
    "src/layers/Repair.ts",
    "Effect.sync(() => (end = { number: segment.number, offset: reading.wholeAt }))",
    "Effect.void",
    repair
  ),
  one("a repair leaves the segments behind the damage", "src/layers/Repair.ts", "number >= end.number", "number === end.number", repair),
  one(
    "a repair believes a checkpoint less than damaged history",
    "src/layers/Repair.ts",
    "...(fromFirst.cuts.length === 0 ? [fromFirst] : [])",
    "fromFirst",
    repair
  ),
  one(
    "an object without a type passes for a later version's record",
    "src/domain/JournalReading.ts",
    'return typeof type === "string" ? "unknown" : { _tag: "Invalid", why: json }',
    'return "unknown"',
    badInput
  ),
  one(
    "the length of a line is not looked at",
    "src/domain/JournalLine.ts",
    "if (length !== String(to - jsonAt))",
    "if (length.length === 0)",
    badInput,
    fuzz
  ),
  one(
    "the chain is not looked at",
    "src/domain/JournalLine.ts",
    "crc32(bytes.subarray(coveredAt, to), previous)",
    "crc32(bytes.subarray(coveredAt, to))",
    store,
    badInput
  ),
  one(
    "claims within a damaged line are not looked for",
    "src/domain/JournalLine.ts",
    "claim = Math.max(claim, Number(found[1]))",
    "if (at === 0) claim = Math.max(claim, Number(found[1]))",
    fuzz
  ),
  one(
    "a clock behind the record is not noticed",
    "src/layers/WallClock.ts",
    "if (nowMs >= lastAtMs - driftMs) return []",
    "if (nowMs >= 0) return []",
    "test/layers/Adoption.test.ts"
  ),
  one(
    "what an overtaken writer made late is read",
    "src/layers/Recovery.ts",
    "while (after !== undefined && (held.at(-1)?.after ?? -1) > after)",
    "while (after === -1)",
    journal
  ),
  one(
    "a start makes its segment behind a name that may yet be lost",
    "src/layers/Segment.ts",
    "yield* disk.syncDir(folder) // An older",
    "// An older",
    journal,
    "test/failures/crash-states.test.ts"
  ),
  one(
    "a directory that is away is made anew",
    "src/layers/Home.ts",
    "same(now, home) ? Effect.void",
    "now?.inode !== -1 ? Effect.void",
    "test/failures/disk-trouble.test.ts"
  ),
  one(
    "a disk without inodes is nobody's trouble",
    "src/layers/StateStore.ts",
    "refused = journal.refused",
    "void journal.refused",
    "test/failures/disk-trouble.test.ts"
  ),
  one(
    "a directory replaced by a link is waited for",
    "src/layers/Segment.ts",
    "home.success?.link === true",
    "home.success?.bytes === -1",
    "test/failures/disk-trouble.test.ts"
  ),
  one(
    "a view takes its name before its bytes are durable",
    "src/layers/Views.ts",
    "      yield* file.datasync\n",
    "",
    "test/failures/crash-states.test.ts"
  )
]
