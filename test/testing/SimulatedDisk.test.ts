import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Disk } from "../../src/layers/Disk.ts"
import type { Image } from "../../src/testing/disk/Durability.ts"
import { type SimulatedDisk, simulatedDisk } from "../../src/testing/disk/SimulatedDisk.ts"
import { suite } from "../contracts/disk.ts"
import { suite as stateSuite } from "../contracts/state.ts"

const layer = Layer.sync(Disk, () => simulatedDisk().disk)
suite(
  "that is simulated",
  layer,
  Effect.gen(function* () {
    const disk = yield* Disk
    yield* disk.makeDir("/t")
    return "/t"
  })
)

stateSuite("a simulated disk", layer, Effect.succeed("/t"), 100)

/** What each crash from here would leave of these files, as sorted texts; `-` for a file that is not there. */
const left = ({ durability }: SimulatedDisk, ...paths: ReadonlyArray<string>): ReadonlyArray<string> => {
  const images = durability.images(10_000, () => 0.5)
  const seen = new Set<string>()
  for (let next = images.next(); ; next = images.next()) {
    if (next.done === true) {
      assert.isTrue(next.value.all)
      return [...seen].sort()
    }
    const { files } = next.value
    seen.add(paths.map((path) => files.get(path)?.toString().replaceAll("\0", "0") ?? "-").join(" "))
  }
}

const scenario = (sentence: string, work: (sim: SimulatedDisk) => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.effect(sentence, () =>
    Effect.suspend(() => work(simulatedDisk(undefined, undefined, 4))).pipe(Effect.scoped, Effect.provide(Logger.layer([])), Effect.orDie)
  )

const created = Effect.fnUntraced(function* (sim: SimulatedDisk, path: string, text = "") {
  const file = yield* sim.disk.open(path, { create: true })
  yield* file.append(Buffer.from(text))
  return file
})
/** A file that is there for good. */
const kept = Effect.fnUntraced(function* (sim: SimulatedDisk, path: string, text: string) {
  const file = yield* created(sim, path, text)
  yield* file.datasync
  yield* sim.disk.syncDir("/")
  return file
})

describe("a crash of the simulated disk", () => {
  scenario("leaves of bytes that were not synced any pieces, in any order, or only their length", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "")
      yield* file.append(Buffer.from("AAAABBBB"))
      assert.deepStrictEqual(left(sim, "/a"), ["", "0000", "00000000", "0000BBBB", "AAAA", "AAAA0000", "AAAABBBB"])
      yield* file.datasync
      assert.deepStrictEqual(left(sim, "/a"), ["AAAABBBB"])
    })
  )

  scenario("leaves a name only where the folder was synced, whatever is in the file", (sim) =>
    Effect.gen(function* () {
      const file = yield* created(sim, "/a", "AAAA")
      yield* file.datasync
      assert.deepStrictEqual(left(sim, "/a"), ["-", "AAAA"])
      yield* sim.disk.syncDir("/")
      assert.deepStrictEqual(left(sim, "/a"), ["AAAA"])
    })
  )

  scenario("leaves one name or the other of a file that was renamed, and an empty one where only the name was kept", (sim) =>
    Effect.gen(function* () {
      yield* kept(sim, "/view", "OLD.")
      yield* created(sim, "/draft", "NEW.")
      yield* sim.disk.syncDir("/")
      yield* sim.disk.rename("/draft", "/view")
      assert.deepStrictEqual(left(sim, "/draft", "/view"), [" OLD.", "- ", "- 0000", "- NEW.", "0000 OLD.", "NEW. OLD."])
    })
  )

  scenario("leaves a file that was moved to another folder in both, in one or in none of them", (sim) =>
    Effect.gen(function* () {
      yield* sim.disk.makeDir("/other")
      yield* kept(sim, "/a", "AAAA")
      yield* sim.disk.rename("/a", "/other/a")
      assert.deepStrictEqual(left(sim, "/a", "/other/a"), ["- -", "- AAAA", "AAAA -", "AAAA AAAA"])
      yield* sim.disk.syncDir("/other")
      assert.deepStrictEqual(left(sim, "/a", "/other/a"), ["- AAAA", "AAAA AAAA"])
      yield* sim.disk.syncDir("/")
      assert.deepStrictEqual(left(sim, "/a", "/other/a"), ["- AAAA"])
    })
  )

  scenario("leaves the end that was cut from a file, or not, until it was synced", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "AAAABBBB")
      yield* file.truncate(2)
      assert.deepStrictEqual(left(sim, "/a"), ["AA", "AAAABBBB"])
      yield* file.append(Buffer.from("CC"))
      assert.deepStrictEqual(left(sim, "/a"), ["AA", "AA00", "AAAABBBB", "AACC", "AACCBBBB"])
      yield* file.datasync
      assert.deepStrictEqual(left(sim, "/a"), ["AACC"])
    })
  )

  scenario("leaves bytes in their places, with nothing in between where that was lost", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "")
      for (const text of ["AAAA", "BBBB", "CCCC"]) yield* file.append(Buffer.from(text))
      const found = left(sim, "/a")
      for (const holed of ["AAAA0000CCCC", "0000BBBB0000", "00000000CCCC"]) assert.include(found, holed)
      assert.lengthOf(found, 15) // Of one to three pieces the last is there as data or zeros, each before it as either; and none.
    })
  )

  scenario("leaves a removed file, or not, until the folder was synced", (sim) =>
    Effect.gen(function* () {
      yield* kept(sim, "/a", "AAAA")
      yield* sim.disk.remove("/a")
      assert.deepStrictEqual(left(sim, "/a"), ["-", "AAAA"])
      yield* sim.disk.syncDir("/")
      assert.deepStrictEqual(left(sim, "/a"), ["-"])
    })
  )

  scenario("leaves nothing in a folder whose own name was not kept", (sim) =>
    Effect.gen(function* () {
      yield* sim.disk.makeDir("/deep/folder")
      const file = yield* created(sim, "/deep/folder/a", "AAAA")
      yield* file.datasync
      yield* sim.disk.syncDir("/deep/folder")
      yield* sim.disk.syncDir("/deep")
      assert.deepStrictEqual(left(sim, "/deep/folder/a"), ["-", "AAAA"])
      yield* sim.disk.syncDir("/")
      assert.deepStrictEqual(left(sim, "/deep/folder/a"), ["AAAA"])
    })
  )

  scenario("leaves nothing of what a failed sync was to keep, though it can be read and the next sync succeeds", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "AAAA")
      yield* file.append(Buffer.from("BBBB"))
      sim.failSync(1)
      assert.strictEqual((yield* Effect.flip(file.datasync)).code, "EIO")
      yield* file.datasync
      assert.strictEqual(Buffer.from(yield* sim.disk.read("/a")).toString(), "AAAABBBB")
      assert.deepStrictEqual(left(sim, "/a"), ["AAAA"])
      yield* file.append(Buffer.from("CCCC"))
      yield* file.datasync
      assert.deepStrictEqual(left(sim, "/a"), ["AAAA0000CCCC"])
    })
  )

  scenario("can be gone on from: what it left is there for good", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "AAAA")
      yield* file.append(Buffer.from("BBBB"))
      const images: ReadonlyArray<Image> = [...sim.durability.images(100, () => 0)]
      for (const image of images) {
        const next = simulatedDisk(image)
        assert.deepStrictEqual(left(next, "/a"), [image.files.get("/a")!.toString().replaceAll("\0", "0")])
      }
    })
  )
})

describe("a simulated disk that refuses", () => {
  scenario("refuses one change, the n-th, and leaves half of a write", (sim) =>
    Effect.gen(function* () {
      const file = yield* kept(sim, "/a", "")
      sim.refuse(2, "ENOSPC")
      yield* file.append(Buffer.from("AAAA"))
      assert.strictEqual((yield* Effect.flip(file.append(Buffer.from("BBBB")))).code, "ENOSPC")
      yield* file.append(Buffer.from("CCCC"))
      assert.strictEqual(Buffer.from(yield* sim.disk.read("/a")).toString(), "AAAABBCCCC")
    })
  )
})
