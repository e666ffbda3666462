import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { errorCode } from "../../src/layers/platform.ts"
import { suite } from "../contracts/disk.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-disk-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

suite(
  "of this machine",
  Disk.layerNode,
  Effect.sync(() => fs.mkdtempSync(join(base, "t-")))
)
suite(
  "in memory",
  Disk.layerMemory,
  Effect.gen(function* () {
    const disk = yield* Disk
    yield* disk.makeDir("/t")
    return "/t"
  })
)

describe("the disk of this machine", () => {
  const onNode = <A, E>(work: (disk: Disk["Service"]) => Effect.Effect<A, E, import("effect").Scope.Scope>) =>
    Effect.flatMap(Disk, work).pipe(Effect.scoped, Effect.provide(Disk.layerNode))

  it.live("makes files 0600 and folders 0700, whatever the umask allows", () =>
    onNode((disk) =>
      Effect.gen(function* () {
        const root = fs.mkdtempSync(join(base, "t-"))
        const before = process.umask(0)
        yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(before)))
        yield* disk.makeDir(join(root, "a", "b"))
        yield* disk.write(join(root, "a", "written"), Buffer.from("x"))
        yield* disk.open(join(root, "a", "opened"), { create: true })
        const mode = (path: string) => fs.statSync(join(root, path)).mode & 0o777
        assert.deepStrictEqual(["a", "a/b", "a/written", "a/opened"].map(mode), [0o700, 0o700, 0o600, 0o600])
      })
    )
  )

  it.live("follows no link to a file it writes or reads", () =>
    onNode((disk) =>
      Effect.gen(function* () {
        const root = fs.mkdtempSync(join(base, "t-"))
        fs.writeFileSync(join(root, "target"), "theirs")
        fs.symlinkSync(join(root, "target"), join(root, "link"))
        assert.strictEqual((yield* Effect.flip(disk.open(join(root, "link"), { create: false }))).code, "ELOOP")
        assert.strictEqual((yield* Effect.flip(disk.open(join(root, "link"), { create: true }))).code, "EEXIST")
        assert.strictEqual((yield* Effect.flip(disk.read(join(root, "link")))).code, "ELOOP")
        assert.strictEqual(fs.readFileSync(join(root, "target"), "utf8"), "theirs")
      })
    )
  )

  it.live("names a refusal that Node only numbers", () =>
    Effect.sync(() => {
      const numbered = (errno: number) => Object.assign(new Error(), { errno: -errno, code: `Unknown system error -${errno}` })
      assert.strictEqual(errorCode(numbered(constants.errno.EDQUOT)), "EDQUOT")
      assert.strictEqual(errorCode(numbered(9_999)), "Unknown system error -9999")
      assert.strictEqual(errorCode(Object.assign(new Error(), { errno: -28, code: "ENOSPC" })), "ENOSPC")
    })
  )

  it.live("closes what a scope opened", () =>
    Effect.gen(function* () {
      const root = fs.mkdtempSync(join(base, "t-"))
      const openFiles = () => fs.readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd").length
      const before = openFiles()
      for (let i = 0; i < 20; i++) yield* onNode((disk) => disk.open(join(root, `f${i}`), { create: true }))
      assert.isBelow(openFiles(), before + 20)
    })
  )
})

describe("the disk in memory", () => {
  it.live("fails once or until healed, and a failing append leaves half of its bytes", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const file = yield* memory.disk.open("/a", { create: true })
      memory.failNext("append", "ENOSPC")
      assert.strictEqual((yield* Effect.flip(file.append(Buffer.from("12345678")))).code, "ENOSPC")
      assert.strictEqual(memory.files().get("/a")?.toString(), "1234")
      yield* file.append(Buffer.from("!"))
      memory.fail("datasync", "EIO")
      assert.strictEqual((yield* Effect.flip(file.datasync)).code, "EIO")
      assert.strictEqual((yield* Effect.flip(file.datasync)).code, "EIO")
      memory.heal()
      yield* file.datasync
      assert.strictEqual(memory.files().get("/a")?.toString(), "1234!")
    }).pipe(Effect.scoped)
  )

  it.live("is the same tree for every store built on its layer, and a new one for each layerMemory", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.flatMap(Disk, (disk) => disk.write("/a", Buffer.from("x"))).pipe(Effect.provide(memory.layer))
      assert.deepStrictEqual(yield* Effect.flatMap(Disk, (disk) => disk.list("/")).pipe(Effect.provide(memory.layer)), ["a"])
      assert.deepStrictEqual(yield* Effect.flatMap(Disk, (disk) => disk.list("/")).pipe(Effect.provide(Disk.layerMemory)), [])
    })
  )
})
