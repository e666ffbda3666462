/** Broken promises of the lock and of the place. */
import { type Mutant, one } from "./mutant.ts"

const lock = "test/layers/Lock.test.ts"
const place = "test/domain/Place.test.ts"
const places = "test/layers/Place.test.ts"

export const lockMutants: ReadonlyArray<Mutant> = [
  one("a backup copies the lock", "src/layers/Backup.ts", 'const kept = ["journal",', 'const kept = ["lock", "journal",', lock),
  one(
    "the lock file is opened once more to see whose it is",
    "src/layers/Lock.ts",
    "if ((yield* disk.stat(path))?.inode === before.inode) return begun.success",
    "if ((yield* disk.read(path)) && (yield* disk.stat(path))?.inode === before.inode) return begun.success",
    lock
  ),
  one(
    "a lock on a file that was removed counts",
    "src/layers/Lock.ts",
    "if ((yield* disk.stat(path))?.inode === before.inode) return begun.success",
    "return begun.success",
    lock
  ),
  one("the lock is shared", "src/layers/Lock.ts", "BEGIN EXCLUSIVE", "BEGIN", lock),
  one(
    "a holder is believed on its word",
    "src/layers/Lock.ts",
    "if (living?.startTime !== known.startTime || living.bootId !== known.bootId)",
    "if (known.pid < 1)",
    lock
  ),
  one("a stopped holder is not told from one that runs", "src/layers/platform.ts", "/^[Tt]/.test", "/^[Q]/.test", lock),
  {
    name: "the name of the holder goes after the lock",
    edits: [
      {
        file: "src/layers/Lock.ts",
        find: "(database) => Effect.sync(() => database.close()))",
        put: `(database) =>
    Effect.andThen(Effect.sync(() => database.close()), Effect.ignore(disk.remove(join(directory, "owner.json")))))`
      },
      { file: "src/layers/Lock.ts", find: "() => Effect.ignore(withdraw)", put: "() => Effect.asVoid(Effect.succeed(withdraw))" }
    ],
    tests: [lock]
  },
  one(
    "the name of the holder stays",
    "src/layers/Lock.ts",
    "() => Effect.ignore(withdraw)",
    "() => Effect.asVoid(Effect.succeed(withdraw))",
    lock
  ),
  one("an overtaken holder takes the next one's name away", "src/layers/Lock.ts", "Buffer.from(bytes).toString() === text", "bytes", lock),
  one("a lock that is busy is called unusable", "src/layers/Lock.ts", "% 256 === 5", "% 256 === 6", lock),
  one("a lock that was refused counts", "src/layers/Lock.ts", "  database.close()\n  throw begun.failure", "  return database", lock),
  one("no start looks where it is", "src/layers/StateStore.ts", "if (!disk.simulated) yield* acceptable(directory)", "", places),
  one("a slash behind a link hides it", "src/layers/Place.ts", "look(resolve(directory))", "look(directory)", places),
  one("the home is compared by the links to it", "src/layers/Place.ts", "realpathSync.native(homedir())", "homedir()", places),
  one(
    "a user without a home is a defect",
    "src/layers/Place.ts",
    "at(() => realpathSync.native(homedir()))",
    "realpathSync.native(homedir())",
    places
  ),
  one("a share of a virtual machine's host passes for a disk", "src/domain/Place.ts", `"9p virtiofs`, `"virtiofs`, place),
  one("a program passes for a disk", "src/domain/Place.ts", "/^(fuse|fuseblk", "/^(fuseblk", place, places),
  one(
    "the first mount that fits is taken for the nearest",
    "src/domain/Place.ts",
    "mount.at.length >= (nearest?.at.length ?? 0)",
    "nearest === undefined",
    place
  ),
  one(
    "a folder is taken for one that begins like it",
    "src/domain/Place.ts",
    "path.startsWith(`${folder}/`)",
    "path.startsWith(folder)",
    place
  ),
  one(
    "a sticky folder passes for a dangerous one",
    "src/domain/Place.ts",
    "(parentMode & 0o1002) === 0o002",
    "(parentMode & 0o002) === 0o002",
    place
  ),
  one("links are followed", "src/domain/Place.ts", "if (linked) return", 'if (linked && path === "") return', place, places)
]
