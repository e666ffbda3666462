/** A simulated disk that is kinder than a real one may be. */
import { type Mutant, one } from "./mutant.ts"

const file = "src/testing/disk/Durability.ts"
const tests = ["test/testing/SimulatedDisk.test.ts"]

export const simulatedMutants: ReadonlyArray<Mutant> = [
  one(
    "a failed sync forgets nothing",
    file,
    "    this.#files.get(inode)!.pending = []\n  }\n  syncedFolder",
    "  }\n  syncedFolder",
    ...tests
  ),
  one("a length is kept with its data", file, 'change._tag === "Piece" ? 3 : 2', "2", ...tests),
  one("a name is kept as soon as it is there", file, "if (pick > 0) rename(found, change)", "rename(found, change)", ...tests),
  one(
    "a folder's own name needs no sync",
    file,
    'this.#entries(path).pending.push([[posix.basename(path), { _tag: "Folder", path }]])',
    'this.#entries(path).kept.set(posix.basename(path), { _tag: "Folder", path })',
    ...tests
  )
]
