import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { hashOf } from "../../src/domain/canonical.ts"
import { encodeLine } from "../../src/domain/JournalLine.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { segmentName } from "../../src/layers/Recovery.ts"
import { type NewEvent, readState, StateStore, type StorageCondition } from "../../src/layers/StateStore.ts"
import { verify } from "../../src/layers/Verify.ts"
import { adopted, paused, picture, session } from "../contracts/state.ts"

const segment = (n: number) => `/state/journal/${segmentName(n)}`

/** A store on a disk in memory, its conditions as they came, and a way to let fibers run without time passing. */
const opened = Effect.gen(function* () {
  const memory = Disk.memory()
  const scope = yield* Scope.make()
  const built = yield* Layer.build(StateStore.layer("/state")).pipe(Effect.provide(memory.layer), Scope.provide(scope))
  const store = yield* StateStore.pipe(Effect.provide(built))
  const conditions: Array<StorageCondition> = []
  yield* Effect.forkIn(
    Stream.runForEach(store.condition, (now) => Effect.sync(() => conditions.push(now))),
    scope,
    { startImmediately: true }
  )
  const append = (...events: ReadonlyArray<NewEvent>) => Effect.forkDetach(Effect.exit(store.append(...events)), { startImmediately: true })
  const read = readState("/state").pipe(Effect.provide(memory.layer))
  return {
    memory,
    store,
    conditions,
    append,
    read,
    close: Scope.close(scope, Exit.void),
    journal: (n = 1) => memory.files().get(segment(n))!.toString()
  }
})

const settle = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

describe("the journal", () => {
  it.effect("takes into one sync all that arrived during the one before", () =>
    Effect.gen(function* () {
      const { append, journal, close } = yield* opened
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => i),
        (i) => append(adopted(`s${i}`))
      )
      yield* Effect.forEach(fibers, Fiber.join)
      const proven = journal()
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line.split(" ")[4])
      assert.isAtMost(new Set(proven).size, 2)
      yield* close
    })
  )

  it.effect("changes neither ledger nor stream before the sync has returned", () =>
    Effect.gen(function* () {
      const { memory, store, append, close } = yield* opened
      memory.fail("datasync", "EIO")
      const fiber = yield* append(adopted("a"))
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      assert.strictEqual(store.ledger.skills.size, 0)
      yield* close
    })
  )

  for (const code of ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOENT"]) {
    it.effect(`waits out ${code}: cuts the part that was written, keeps the append, and tries each second until it works`, () =>
      Effect.gen(function* () {
        const { memory, store, conditions, append, journal, read, close } = yield* opened
        yield* store.append(adopted("a"))
        const good = journal()
        memory.fail("append", code)
        const first = yield* append(adopted("b"), paused("b"))
        const second = yield* append(paused("a", "after b"))
        yield* settle
        assert.deepStrictEqual(conditions.at(-1), { _tag: "Blocked", reason: code })
        assert.notStrictEqual(journal(), good, "a part was left")
        yield* TestClock.adjust("3 seconds")
        assert.isUndefined(first.pollUnsafe())
        assert.deepStrictEqual([...store.ledger.skills.keys()], ["a"])
        memory.heal()
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(first)))
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(second)))
        assert.isTrue(journal().startsWith(good))
        yield* TestClock.adjust("1 second") // The reserve, where it was given up, is taken again.
        assert.deepStrictEqual(
          conditions.map((now) => now._tag).filter((tag, i, all) => tag !== all[i - 1]),
          ["Writable", "Blocked", "Writable"]
        )
        const { ledger, damage } = yield* read
        assert.isUndefined(damage)
        assert.strictEqual(picture(ledger), picture(store.ledger))
        yield* close
      })
    )
  }

  it.effect("does not give up when the part cannot be cut either, as long as that may pass", () =>
    Effect.gen(function* () {
      const { memory, append, read, close } = yield* opened
      memory.fail("append", "EROFS")
      memory.fail("truncate", "EROFS")
      const fiber = yield* append(adopted("a"))
      yield* TestClock.adjust("2 seconds")
      memory.heal()
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
      assert.isUndefined((yield* read).damage)
      yield* close
    })
  )

  it.effect("dies when the part cannot be cut for good", () =>
    Effect.gen(function* () {
      const { memory, conditions, append, close } = yield* opened
      memory.fail("append", "ENOSPC")
      memory.fail("truncate", "EIO")
      const fiber = yield* append(adopted("a"))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      assert.strictEqual(conditions.at(-1)?._tag, "Failed")
      yield* close
    })
  )

  it.effect("never syncs again after a sync that failed, nor acknowledges anything, until a new start proves what is there", () =>
    Effect.gen(function* () {
      const { memory, store, conditions, append, close } = yield* opened
      yield* store.append(adopted("a"))
      memory.failNext("datasync", "EIO") // Once: the next sync would succeed, and would lie.
      const one = yield* append(adopted("b"))
      const two = yield* append(adopted("c"))
      for (const fiber of [one, two]) {
        const error = yield* Effect.flip(Effect.flatten(Fiber.join(fiber)))
        assert.deepInclude({ ...error }, { code: "STORAGE_FAILED", retryable: false, got: "EIO from datasync" })
      }
      yield* settle
      const later = yield* append(adopted("d"))
      yield* settle
      assert.isTrue(later.pollUnsafe() !== undefined && Exit.isFailure(yield* Fiber.join(later)), "and so does every later append, at once")
      assert.deepStrictEqual(conditions.at(-1), {
        _tag: "Failed",
        reason: "STORAGE_FAILED at /state/journal/0000000001.log: EIO from datasync"
      })
      assert.deepStrictEqual([...store.ledger.skills.keys()], ["a"])
      yield* close
      yield* session("/state", (next) => Effect.sync(() => assert.include([...next.ledger.skills.keys()], "a"))).pipe(
        Effect.provide(memory.layer)
      )
      // What could be read and is not proven stands in the new segment too: the old one may lose it when its pages go.
      const kept = memory
        .files()
        .get(segment(1))!
        .toString()
        .split("\n")
        .filter((line) => line.includes(`"c"`)).length
      assert.strictEqual(
        memory
          .files()
          .get(segment(2))!
          .toString()
          .split("\n")
          .filter((line) => line.includes(`"c"`)).length,
        kept
      )
    })
  )

  it.effect("carries what no later line proves into the segment of the next start, and reads it there", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      yield* store.append(adopted("proven"))
      yield* store.append(adopted("last"))
      yield* close
      yield* session("/state", () => Effect.void).pipe(Effect.provide(memory.layer))
      const old = memory.files().get(segment(1))!
      memory.put(segment(1), old.subarray(0, old.lastIndexOf("\n", old.length - 2) + 1)) // As after a lost page: the proven part alone.
      const { ledger } = yield* readState("/state").pipe(Effect.provide(memory.layer))
      assert.deepStrictEqual([...ledger.skills.keys()], ["proven", "last"])
    })
  )

  it.effect("falls back on the old segment when the birth of the new one was torn", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* store.append(adopted("b"), paused("b"))
      yield* close
      yield* session("/state", () => Effect.void).pipe(Effect.provide(memory.layer))
      const born = memory.files().get(segment(2))!
      for (let length = 0; length < born.length; length++) {
        memory.put(segment(2), born.subarray(0, length))
        const read = yield* readState("/state").pipe(Effect.provide(memory.layer))
        assert.deepStrictEqual([...read.ledger.skills.keys()], ["a", "b"], `cut at ${length}`)
        assert.strictEqual(read.damage?.bytes, length === 0 ? undefined : length)
      }
    })
  )

  it.effect("takes holes in the last batch for a torn tail, but not damage that a later batch proves", () =>
    Effect.gen(function* () {
      const { memory, store, append, close } = yield* opened
      yield* store.append(adopted("a"))
      const together = yield* Effect.forEach(["b", "hole", "behind"], (skill) => append(adopted(skill)))
      yield* Effect.forEach(together, Fiber.join)
      yield* close
      const whole = memory.files().get(segment(1))!
      const [hollow, behind] = [whole.indexOf(`"hole"`), whole.indexOf(`"behind"`)]
      assert.isAbove(behind, hollow)
      const hole = Buffer.from(whole)
      hole.fill(0, hollow - 20, hollow)
      memory.put(segment(1), hole)
      const torn = yield* readState("/state").pipe(Effect.provide(memory.layer))
      assert.isDefined(torn.damage)
      assert.notInclude([...torn.ledger.skills.keys()], "behind")
      const early = Buffer.from(whole)
      early.fill(0, whole.indexOf(`"a"`), whole.indexOf(`"a"`) + 3)
      memory.put(segment(1), early)
      assert.strictEqual((yield* Effect.flip(readState("/state").pipe(Effect.provide(memory.layer)))).code, "JOURNAL_CORRUPT")
    })
  )

  it.effect("refuses a joined line as corrupt when a later append is in it: its line feed is what was damaged", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      for (const skill of ["a", "b", "c"]) yield* store.append(adopted(skill))
      yield* close
      const whole = memory.files().get(segment(1))!
      for (const byte of [11, 0x31, 0x61, 0x20, 0x7b]) {
        const joined = Buffer.from(whole)
        joined[joined.lastIndexOf(10, joined.length - 2)] = byte
        memory.put(segment(1), joined)
        assert.strictEqual((yield* Effect.flip(readState("/state").pipe(Effect.provide(memory.layer)))).code, "JOURNAL_LENGTH")
      }
    })
  )

  it.effect("refuses damage in an older segment, naming file, offset, and what it compared", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      for (const skill of ["a", "b"]) yield* store.append(adopted(skill))
      yield* close
      yield* session("/state", (next) => next.append(adopted("c"))).pipe(Effect.provide(memory.layer))
      const damaged = memory.files().get(segment(1))!
      const offset = damaged.indexOf(10) + 1
      damaged[damaged.indexOf(`"a"`) + 1] = 0x7a
      memory.put(segment(1), damaged)
      const before = memory.files()
      for (const refused of [
        yield* Effect.flip(readState("/state").pipe(Effect.provide(memory.layer))),
        yield* Effect.flip(session("/state", () => Effect.void).pipe(Effect.provide(memory.layer)))
      ]) {
        assert.deepInclude({ ...refused }, { _tag: "StateUnusable", code: "JOURNAL_CORRUPT", where: `journal/${segmentName(1)}:${offset}` })
        assert.match(`${refused.want} ${refused.got}`, /^[0-9a-f]{8} [0-9a-f]{8}$/)
      }
      assert.deepStrictEqual(memory.files(), before)
    })
  )

  it.effect("stops dead when a later start has opened its segment, and acknowledges nothing after it", () =>
    Effect.gen(function* () {
      const { memory, store, conditions, append, close } = yield* opened
      yield* store.append(adopted("a"))
      memory.put(segment(2), "")
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(yield* append(adopted("b")))))
      assert.strictEqual(error.code, "STATE_FENCED")
      assert.strictEqual(conditions.at(-1)?._tag, "Failed")
      yield* close
    })
  )

  it.effect("acknowledges nothing into a segment that somebody removed", () =>
    Effect.gen(function* () {
      const { memory, store, append, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* memory.disk.remove(segment(1))
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(yield* append(adopted("b")))))
      assert.strictEqual(error.code, "STATE_DIR_REPLACED")
      yield* close
    })
  )

  it.effect("ends when the directory was deleted, and makes nothing in its place", () =>
    Effect.gen(function* () {
      const { memory, store, conditions, append, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* memory.disk.removeTree("/state")
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(yield* append(adopted("b")))))
      assert.deepInclude({ ...error }, { code: "STATE_DIR_REPLACED", where: "/state", got: "nothing: it was deleted" })
      assert.deepInclude(conditions.at(-1), { _tag: "Failed" })
      yield* close
      assert.deepStrictEqual([...memory.files().keys()], [])
    })
  )

  it.effect("goes on in a directory that comes back just as it is looked for", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      let gone = false
      const disk = Disk.of({
        ...memory.disk,
        stat: (path) => {
          const unseen = gone && path === segment(1)
          if (unseen) gone = false
          return unseen ? Effect.succeed(undefined) : memory.disk.stat(path)
        }
      })
      yield* session("/state", (store) =>
        Effect.gen(function* () {
          gone = true
          yield* store.append(adopted("a"))
          assert.isFalse(gone, "it was looked for")
        })
      ).pipe(Effect.provideService(Disk, disk))
    })
  )

  it.effect("notices a directory that was replaced although nothing is appended, and touches nothing in it", () =>
    Effect.gen(function* () {
      const { memory, store, conditions, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* memory.disk.removeTree("/state")
      memory.put("/state/journal/theirs", "x")
      memory.put("/state/reserve", "theirs")
      const before = memory.files()
      yield* store.view("status.json", "ours")
      assert.deepStrictEqual(conditions.at(-1), { _tag: "Blocked", reason: "ENOENT" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(conditions.at(-1), {
        _tag: "Failed",
        reason: `STATE_DIR_REPLACED at ${segment(1)}: another directory`
      })
      yield* close
      assert.deepStrictEqual(memory.files(), before)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("does not read what a fenced writer wrote into its segment after the next one began", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* close
      yield* session("/state", (next) => next.append(adopted("b"))).pipe(Effect.provide(memory.layer))
      memory.put(segment(1), Buffer.concat([memory.files().get(segment(1))!, Buffer.from("late\nand torn")]))
      const { ledger, damage } = yield* readState("/state").pipe(Effect.provide(memory.layer))
      assert.deepStrictEqual([[...ledger.skills.keys()], damage], [["a", "b"], undefined])
    })
  )

  // Found by a kill of the scenario "lock take-over": both were writing, the older one was about to go on to its next segment.
  it.effect("passes over a segment that a fenced writer made after the next start had looked", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* store.append(adopted("b"))
      yield* close
      const first = memory.files().get(segment(1))!
      memory.put(segment(2), "") // The older one has made its name.
      yield* session("/state", (next) => next.append(adopted("c"))).pipe(Effect.provide(memory.layer))
      const crc = first.toString().trimEnd().split("\n").at(-1)!.split(" ")[1]!
      const header = { product: "holdfast", format: 2, segment: 2, epoch: 1, after: 2, chain: crc, sealed: null }
      const born = encodeLine({ seq: 2, epoch: 1, proven: 0, more: 0 }, JSON.stringify(header), 0)
      const late = encodeLine(
        { seq: 3, epoch: 1, proven: born.text.length, more: 0 },
        JSON.stringify({ v: 1, ...adopted("late") }),
        born.crc
      )
      for (const text of [born.text, born.text + late.text]) {
        memory.put(segment(2), text) // And now what is in it: by its word, record 2 was durable before.
        yield* Effect.gen(function* () {
          assert.deepStrictEqual([...(yield* readState("/state")).ledger.skills.keys()], ["a", "b", "c"])
          assert.strictEqual((yield* verify("/state")).hash, hashOf((yield* readState("/state")).ledger))
          yield* session("/state", (next) => next.compact)
          yield* verify("/state")
        }).pipe(Effect.provide(memory.layer))
      }
    })
  )

  it.effect("writes what is pending before it closes, and hangs on no full disk", () =>
    Effect.gen(function* () {
      const first = yield* opened
      const fiber = yield* first.append(adopted("a"))
      yield* first.close
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
      const second = yield* opened
      second.memory.fail("append", "ENOSPC")
      const blocked = yield* second.append(adopted("b"))
      yield* settle
      yield* second.close
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(blocked)))
      assert.deepInclude({ ...error }, { code: "STORAGE_BLOCKED", retryable: true })
    })
  )

  it.effect("refuses an event that could not be read again as its author's defect, and goes on with others", () =>
    Effect.gen(function* () {
      const { store, append, read, close } = yield* opened
      const exit = yield* Fiber.join(yield* append({ type: "clock.jumped", byMs: NaN }))
      assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
      yield* store.append(adopted("a"))
      assert.deepStrictEqual([...(yield* read).ledger.skills.keys()], ["a"])
      yield* close
    })
  )

  it.effect("makes the name of the new segment durable, then its birth, then the reserve, before anything can be appended", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const done: Array<string> = []
      const noting = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) => Effect.tap(effect, () => Effect.sync(() => done.push(what)))
      const disk = Disk.of({
        ...memory.disk,
        open: (path, options) =>
          Effect.map(noting(`open ${path}`, memory.disk.open(path, options)), (file) => ({
            ...file,
            append: (bytes) => noting("append", file.append(bytes)),
            datasync: noting("datasync", file.datasync)
          })),
        syncDir: (path) => noting(`syncDir ${path}`, memory.disk.syncDir(path))
      })
      yield* session("/state", (store) =>
        Effect.andThen(
          Effect.sync(() => done.push("started")),
          store.append(adopted("a"))
        )
      ).pipe(Effect.provideService(Disk, disk))
      assert.deepStrictEqual(done, [
        "syncDir /state",
        "syncDir /",
        "syncDir /state/journal",
        `open ${segment(1)}`,
        "syncDir /state/journal",
        "append",
        "datasync",
        "open /state/reserve",
        "append",
        "datasync",
        "started",
        "append",
        "datasync"
      ])
    })
  )

  it.effect("keeps a torn tail durably before it cuts it, and is none the worse for a start that died in between", () =>
    Effect.gen(function* () {
      const { memory, store, close } = yield* opened
      yield* store.append(adopted("a"))
      yield* close
      memory.put(segment(1), Buffer.concat([memory.files().get(segment(1))!, Buffer.from("120 torn")]))
      memory.fail("truncate", "EIO")
      const refused = yield* Effect.flip(session("/state", () => Effect.void).pipe(Effect.provide(memory.layer)))
      assert.strictEqual(refused._tag, "StorageFailed")
      assert.isTrue(memory.files().get(segment(1))!.toString().endsWith("120 torn"))
      memory.heal()
      yield* session("/state", (next) => Effect.sync(() => assert.strictEqual(next.damage[0]?.bytes, 8))).pipe(Effect.provide(memory.layer))
      const kept = [...memory.files()].filter(([path]) => path.startsWith("/state/damaged/")).map(([, bytes]) => bytes.toString())
      assert.deepStrictEqual(kept, ["120 torn"])
      assert.isFalse(memory.files().get(segment(1))!.toString().endsWith("120 torn"))
    })
  )
})
