/** A disk in trouble that is met as a disk for good, or a runtime that does not see what happened to its directory. */
import { type Mutant, one } from "./mutant.ts"

const real = "test/failures/disk-trouble.test.ts"
const journal = "test/layers/Journal.test.ts"
const views = "test/layers/Views.test.ts"
const processes = "src/layers/SkillProcess.ts"

export const troubleMutants: ReadonlyArray<Mutant> = [
  one("a quota that is used up ends the runtime", "src/layers/DiskNode.ts", "errorCode(error) ??", "error.code ??", real),
  one(
    "a refusal that Node only numbers has no name",
    "src/layers/platform.ts",
    "number === -(error.errno ?? 0)",
    "number === error.errno",
    "test/layers/Disk.test.ts"
  ),
  one(
    "a status file that was refused waits for the skill's next run",
    "src/layers/Views.ts",
    "Effect.sync(() => refused.add(skill))",
    "Effect.void",
    views,
    real
  ),
  one(
    "the end of the trouble is not told to the views",
    "src/layers/StateStore.ts",
    '_tag === "Writable" ? status.again',
    '_tag === "Failed" ? status.again',
    views
  ),
  one(
    "what a disk does not let be removed is the end of a run",
    processes,
    "Effect.ignore(Effect.try(() => fs.rmSync(path, { force: true, recursive: true })))",
    "Effect.sync(() => fs.rmSync(path, { force: true, recursive: true }))",
    real
  ),
  one(
    "a folder that refuses what a run needs is a defect",
    processes,
    "catch: (cause) => spawnFailed({ ...start, cwd: folder }, cause as NodeJS.ErrnoException, facts.directory)",
    "catch: (cause): never => {\n        throw cause\n      }",
    "test/layers/Process.test.ts"
  ),
  one("a deleted directory is waited for", "src/layers/Segment.ts", "!named.success", "false as boolean", journal, real),
  one(
    "a directory that comes back as it is looked for is taken for another",
    "src/layers/Segment.ts",
    "same(again.success, itself)",
    "false as boolean",
    journal
  ),
  one(
    "what is never written to is never missed",
    "src/layers/Journal.ts",
    "(yield* away(yield* segment.standing)) === undefined && (yield* reserve.room)",
    "(yield* reserve.room)",
    journal
  ),
  one(
    "a reserve is made wherever the path leads",
    "src/layers/StateStore.ts",
    "reserveBytes), Disk, home)",
    "reserveBytes), Disk, disk)",
    journal
  ),
  one("the directory itself is made anew", "src/layers/Home.ts", "path === directory || ", "", real),
  one("another device's directory is taken for ours", "src/layers/Disk.ts", " && one.device === other.device", "", real),
  one("the reason is the system's word alone", "src/layers/Runtime.ts", "inWords(condition.reason)", "condition.reason", real)
]
