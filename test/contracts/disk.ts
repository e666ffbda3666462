/** What every disk promises. The real one and the one in memory pass the same list. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Disk } from "../../src/layers/Disk.ts"

const bytes = (text: string) => Buffer.from(text)
const text = (path: string) => Effect.flatMap(Disk, (disk) => Effect.map(disk.read(path), (read) => Buffer.from(read).toString()))

/** `folder` names an empty folder that exists, a new one at each call. */
export const suite = (name: string, layer: Layer.Layer<Disk>, folder: Effect.Effect<string, unknown, Disk>) =>
  describe(`the disk ${name}`, () => {
    const promise = (
      sentence: string,
      work: (root: string, disk: Disk["Service"]) => Effect.Effect<void, unknown, Disk | import("effect").Scope.Scope>
    ) =>
      it.live(sentence, () =>
        Effect.gen(function* () {
          yield* work(yield* folder, yield* Disk)
        }).pipe(Effect.scoped, Effect.provide(layer), Effect.orDie)
      )

    const refusedWith = <A, R>(code: string, effect: Effect.Effect<A, { readonly code: string }, R>) =>
      Effect.map(Effect.flip(effect as Effect.Effect<A, { readonly code: string }, R>), (error) => assert.strictEqual(error.code, code))

    promise("appends behind what is there, also after it was opened again", (root, disk) =>
      Effect.gen(function* () {
        const first = yield* disk.open(`${root}/a`, { create: true })
        yield* first.append(bytes("one "))
        yield* first.append(bytes("two "))
        yield* first.datasync
        const second = yield* disk.open(`${root}/a`, { create: false })
        yield* second.append(bytes("three"))
        assert.strictEqual(yield* text(`${root}/a`), "one two three")
      })
    )

    promise("appends a large block whole", (root, disk) =>
      Effect.gen(function* () {
        const block = Buffer.alloc(3_000_001, "x")
        const file = yield* disk.open(`${root}/a`, { create: true })
        yield* file.append(block)
        assert.isTrue(block.equals(yield* disk.read(`${root}/a`)))
      })
    )

    promise("refuses to create what exists and to open what does not", (root, disk) =>
      Effect.gen(function* () {
        yield* disk.write(`${root}/a`, bytes("old"))
        yield* refusedWith("EEXIST", disk.open(`${root}/a`, { create: true }))
        yield* refusedWith("EEXIST", disk.write(`${root}/a`, bytes("new")))
        yield* refusedWith("ENOENT", disk.open(`${root}/b`, { create: false }))
        yield* refusedWith("ENOENT", disk.read(`${root}/b`))
        yield* refusedWith("ENOENT", disk.remove(`${root}/b`))
        yield* refusedWith("ENOENT", disk.write(`${root}/none/b`, bytes("")))
        yield* refusedWith("ENOTDIR", disk.write(`${root}/a/b`, bytes("")))
        assert.strictEqual(yield* text(`${root}/a`), "old")
      })
    )

    promise("appends where a truncated file ends now", (root, disk) =>
      Effect.gen(function* () {
        const file = yield* disk.open(`${root}/a`, { create: true })
        yield* file.append(bytes("keep this, not that"))
        yield* file.truncate(10)
        yield* file.append(bytes("but this"))
        assert.strictEqual(yield* text(`${root}/a`), "keep this,but this")
      })
    )

    promise("replaces a file by renaming another over it", (root, disk) =>
      Effect.gen(function* () {
        yield* disk.write(`${root}/old`, bytes("old"))
        yield* disk.write(`${root}/new`, bytes("new"))
        yield* disk.rename(`${root}/new`, `${root}/old`)
        assert.strictEqual(yield* text(`${root}/old`), "new")
        assert.deepStrictEqual(yield* disk.list(root), ["old"])
        yield* refusedWith("ENOENT", disk.rename(`${root}/new`, `${root}/old`))
      })
    )

    promise("lists names in order, and nothing for a folder that is not there", (root, disk) =>
      Effect.gen(function* () {
        for (const name of ["b", "a", "B", "10", "9"]) yield* disk.write(`${root}/${name}`, bytes(""))
        yield* disk.makeDir(`${root}/c/d`)
        assert.deepStrictEqual(yield* disk.list(root), ["10", "9", "B", "a", "b", "c"])
        assert.deepStrictEqual(yield* disk.list(`${root}/c`), ["d"])
        assert.deepStrictEqual(yield* disk.list(`${root}/none`), [])
        yield* refusedWith("ENOTDIR", disk.list(`${root}/a`))
      })
    )

    promise("makes a folder with its parents, twice without complaint, but not over a file", (root, disk) =>
      Effect.gen(function* () {
        yield* disk.makeDir(`${root}/a/b/c`)
        yield* disk.makeDir(`${root}/a/b/c`)
        yield* disk.syncDir(`${root}/a/b`)
        yield* disk.write(`${root}/a/b/c/file`, bytes("x"))
        yield* refusedWith("EEXIST", disk.makeDir(`${root}/a/b/c/file`))
        yield* refusedWith("ENOTDIR", disk.makeDir(`${root}/a/b/c/file/d`))
        yield* refusedWith("ENOENT", disk.syncDir(`${root}/none`))
      })
    )

    promise("tells size and modification time to the millisecond, and nothing of what is not there", (root, disk) =>
      Effect.gen(function* () {
        yield* disk.write(`${root}/a`, bytes("12345"))
        for (const atMs of [1_763_791_203_123, 1_763_791_203_000, 1_001, 4_102_444_800_999]) {
          yield* disk.touch(`${root}/a`, atMs)
          const { bytes, modifiedAtMs } = (yield* disk.stat(`${root}/a`))!
          assert.deepStrictEqual({ bytes, modifiedAtMs }, { bytes: 5, modifiedAtMs: atMs })
        }
        assert.isUndefined(yield* disk.stat(`${root}/b`))
        assert.isDefined(yield* disk.stat(root))
        yield* refusedWith("ENOENT", disk.touch(`${root}/b`, 0))
      })
    )

    promise("knows a file by its inode under whatever name, and another one under the same name", (root, disk) =>
      Effect.gen(function* () {
        const inode = (path: string) => Effect.map(disk.stat(path), (stat) => stat?.inode)
        yield* disk.write(`${root}/a`, bytes("1"))
        const first = yield* inode(`${root}/a`)
        yield* disk.rename(`${root}/a`, `${root}/b`)
        yield* disk.write(`${root}/a`, bytes("2"))
        assert.strictEqual(yield* inode(`${root}/b`), first)
        assert.notStrictEqual(yield* inode(`${root}/a`), first)
        assert.isDefined(yield* inode(root))
      })
    )

    promise("removes a folder with all that is in it, and nothing beside it", (root, disk) =>
      Effect.gen(function* () {
        yield* disk.makeDir(`${root}/a/b`)
        yield* disk.makeDir(`${root}/ab`)
        for (const path of ["a/1", "a/b/2", "ab/3"]) yield* disk.write(`${root}/${path}`, bytes("x"))
        yield* disk.removeTree(`${root}/a`)
        yield* disk.removeTree(`${root}/a`)
        assert.deepStrictEqual(yield* disk.list(root), ["ab"])
        assert.deepStrictEqual(yield* disk.list(`${root}/a/b`), [])
        assert.strictEqual(yield* text(`${root}/ab/3`), "x")
      })
    )

    promise("keeps writing into an open file that was renamed or removed, and knows which", (root, disk) =>
      Effect.gen(function* () {
        const file = yield* disk.open(`${root}/a`, { create: true })
        yield* disk.rename(`${root}/a`, `${root}/b`)
        yield* file.append(bytes("x"))
        assert.strictEqual(yield* text(`${root}/b`), "x")
        assert.isTrue(yield* file.named)
        yield* disk.remove(`${root}/b`)
        assert.isFalse(yield* file.named)
        yield* file.append(bytes("y"))
        assert.deepStrictEqual(yield* disk.list(root), [])
      })
    )
  })
