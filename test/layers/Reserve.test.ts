import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DiskError } from "../../src/domain/Errors.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, StateStore, type StorageCondition } from "../../src/layers/StateStore.ts"
import { adopted, paused, picture } from "../contracts/state.ts"

const reserveBytes = 8_192

/** A disk in memory of so many bytes: what does not fit is refused, as a full disk does, with a part of it written. */
const limited = (memory: ReturnType<typeof Disk.memory>) => {
  let room = Number.POSITIVE_INFINITY
  const used = () => [...memory.files().values()].reduce((sum, bytes) => sum + bytes.length, 0)
  const disk = Disk.of({
    ...memory.disk,
    open: (path, options) =>
      Effect.map(memory.disk.open(path, options), (file) => ({
        ...file,
        append: (bytes) =>
          Effect.suspend(() => {
            const fits = room - used()
            if (bytes.length <= fits) return file.append(bytes)
            return Effect.andThen(
              file.append(bytes.subarray(0, Math.max(0, fits))),
              new DiskError({ operation: "append", path, code: "ENOSPC" })
            )
          })
      }))
  })
  return {
    layer: Layer.succeed(Disk, disk),
    leave: (bytes: number) => {
      room = used() + bytes
    }
  }
}

const started = (layer: Layer.Layer<Disk>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const built = yield* Layer.build(StateStore.layer("/state", { reserveBytes })).pipe(Effect.provide(layer), Scope.provide(scope))
    const store = yield* StateStore.pipe(Effect.provide(built))
    const conditions: Array<StorageCondition> = []
    yield* Effect.forkIn(
      Stream.runForEach(store.condition, (now) => Effect.sync(() => conditions.push(now))),
      scope,
      { startImmediately: true }
    )
    return { store, conditions, close: Scope.close(scope, Exit.void) }
  })

const reserveOn = (memory: ReturnType<typeof Disk.memory>) => memory.files().get("/state/reserve")?.length

describe("the reserve", () => {
  it.effect("makes room on a full disk for what runs, and the disk counts as full until it is back", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const { layer, leave } = limited(memory)
      const { store, conditions, close } = yield* started(layer)
      assert.strictEqual(reserveOn(memory), reserveBytes)
      leave(10)
      yield* store.append(adopted("a"), paused("a")) // No time passes.
      yield* store.append(adopted("b"))
      assert.deepStrictEqual(conditions.at(-1), { _tag: "Blocked", reason: "ENOSPC" })
      assert.isUndefined(reserveOn(memory))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(conditions.at(-1), { _tag: "Blocked", reason: "ENOSPC" }, "there is room, but not for the reserve")

      const large = yield* Effect.forkChild(store.append(paused("b", "x".repeat(2 * reserveBytes))))
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(large.pollUnsafe(), "the room of the reserve is used up too")
      leave(10 * reserveBytes)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(large)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(conditions.at(-1), { _tag: "Writable" })
      assert.strictEqual(reserveOn(memory), reserveBytes)
      const { ledger, damage } = yield* readState("/state").pipe(Effect.provide(layer))
      assert.isUndefined(damage)
      assert.strictEqual(picture(ledger), picture(store.ledger))
      yield* close
    })
  )

  it.effect("lets a start happen on a full disk, blocked; without it the start is refused", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const { layer, leave } = limited(memory)
      const first = yield* started(layer)
      yield* first.store.append(adopted("a"))
      yield* first.close
      leave(10)
      const second = yield* started(layer)
      assert.deepStrictEqual(second.conditions.at(-1), { _tag: "Blocked", reason: "ENOSPC" })
      yield* second.store.append(paused("a"))
      assert.strictEqual(second.store.ledger.skills.get("a")?.paused?.by, "test")
      yield* second.close
      leave(10)
      const third = yield* Effect.flip(started(layer))
      assert.deepInclude({ ...third }, { code: "STORAGE_FAILED", got: "ENOSPC from append" })
      const names = [...memory.files().keys()].filter((path) => path.startsWith("/state/journal/"))
      assert.lengthOf(names, 2, "a refused start leaves no segment")
      leave(10 * reserveBytes)
      const fourth = yield* started(layer)
      assert.deepStrictEqual(fourth.conditions.at(-1), { _tag: "Writable" })
      assert.strictEqual(fourth.store.ledger.skills.get("a")?.paused?.by, "test")
      yield* fourth.close
    })
  )
})
