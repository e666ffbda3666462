/** The directory of a runtime at work: what is made in another one that stands in its place is taken back. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Disk } from "../../src/layers/Disk.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import { housed } from "../../src/layers/Home.ts"

it.effect("a file that is made while the directory is exchanged does not stay, and is told as if it had been gone before", () =>
  Effect.gen(function* () {
    const memory = diskMemory()
    yield* memory.disk.makeDir("/state")
    let exchanged = false
    const disk: Disk["Service"] = {
      ...memory.disk,
      stat: (path) =>
        Effect.map(memory.disk.stat(path), (stat) => (exchanged && stat !== undefined ? { ...stat, inode: stat.inode + 1 } : stat)),
      open: (path, options) =>
        Effect.tap(memory.disk.open(path, options), () =>
          Effect.sync(() => {
            exchanged = true
          })
        )
    }
    const told: Array<string> = []
    const home = yield* housed(disk, "/state", (code) => Effect.sync(() => void told.push(code)))
    const refused = yield* Effect.flip(Effect.scoped(home.open("/state/.draft-0", { create: true })))
    assert.deepStrictEqual([refused.code, told], ["ENOENT", ["ENOENT"]])
    assert.notInclude([...memory.files().keys()], "/state/.draft-0")
  })
)
