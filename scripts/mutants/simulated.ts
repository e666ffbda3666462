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
  one("bytes need no sync", file, 'if (fate === "lost") continue', 'if (fate === ("never" as Fate)) continue', ...tests),
  one(
    "bytes are lost from the end only",
    file,
    'if (fate === "lost") continue',
    'if (fate === "lost" || (change._tag === "Piece" && change.offset > length)) continue',
    ...tests
  ),
  one("a cut needs no sync", file, 'if (fate === "lost") continue', 'if (fate === "lost" && change._tag === "Piece") continue', ...tests),
  one("what was cut is there again behind a hole", file, "bytes.fill(0, change.length, length)", "", ...tests),
  one(
    "a sync of a file keeps its name",
    file,
    "    contents.pending = []\n",
    "    contents.pending = []\n    for (const path of this.#folders.keys()) this.syncedFolder(path)\n",
    ...tests
  ),
  one("a sync of a file keeps nothing", file, 'contents.pending.map((change) => [change, "kept"])', "[]", ...tests),
  one(
    "a removal needs no sync",
    file,
    "this.#entries(path).pending.push([[posix.basename(path), undefined]])",
    "this.#entries(path).kept.delete(posix.basename(path))",
    ...tests
  ),
  one(
    "a move between folders is one step",
    file,
    "if (here === there) here.pending.push([gone, came])",
    "if (here === there || true) here.pending.push([gone, came])",
    ...tests
  ),
  one("a rename within a folder is two steps", file, "if (here === there) here", "if (here === undefined) here", ...tests),
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
