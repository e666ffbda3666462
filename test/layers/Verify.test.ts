import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { hashOf } from "../../src/domain/canonical.ts"
import { backup } from "../../src/layers/Backup.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, type StateOptions, type StateStore } from "../../src/layers/StateStore.ts"
import { verify } from "../../src/layers/Verify.ts"
import { adopted, paused, session } from "../contracts/state.ts"

const opened = <A, E, R>(options: StateOptions, work: (store: StateStore["Service"]) => Effect.Effect<A, E, R>) =>
  session("/state", work, { reserveBytes: 64, segmentBytes: 700, ...options })
const fill = (store: StateStore["Service"], from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, i) => `s${from + i}`),
    (name) => store.append(adopted(name), paused(name)),
    { discard: true }
  )

/** Several segments and two checkpoints; with a short history the first segments have gone. */
const grown = (options: StateOptions = {}) =>
  opened(options, (store) =>
    Effect.gen(function* () {
      for (const from of [0, 8, 16]) {
        yield* fill(store, from, from + 8)
        yield* store.compact
      }
      yield* fill(store, 24, 28)
      return hashOf(store.ledger)
    })
  )
const short: StateOptions = { history: { runs: 0, days: 0 } }

describe("verify", () => {
  for (const [name, options] of Object.entries({ "all of its history": {}, "history that has gone": short })) {
    it.effect(`finds a directory with ${name} whole, and its state the one of the runtime`, () =>
      Effect.gen(function* () {
        const hash = yield* grown(options)
        const verified = yield* verify("/state")
        assert.strictEqual(verified.hash, hash)
        assert.strictEqual(verified.checkpoints, 2)
        assert.isAbove(verified.segments, 3)
        assert.strictEqual(verified.records, options === short ? verified.records : 56)
        assert.strictEqual(verified.durableAtMs, 1)
        assert.deepStrictEqual(verified.torn, [])
      }).pipe(Effect.provide(Disk.memory().layer))
    )
  }

  it.effect("finds every flipped byte of every segment and checkpoint but those that a start may cut", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const hash = yield* grown()
        const files = [...memory.files()].filter(([path]) => path.startsWith("/state/journal/"))
        const last = files.filter(([path]) => path.endsWith(".log")).at(-1)![0]
        for (const [path, whole] of files) {
          for (let at = 0; at < whole.length; at += 37) {
            const flipped = Buffer.from(whole)
            flipped[at]! ^= 4
            memory.put(path, flipped)
            const found = yield* Effect.result(verify("/state"))
            if (found._tag === "Success") {
              assert.strictEqual(path, last, `${path} at ${at}`)
              assert.isNotEmpty(found.success.torn)
              assert.notStrictEqual(found.success.hash, hash)
            }
          }
          memory.put(path, whole)
        }
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("passes over what is behind the bytes that the next segment counts, and compares those with their digest", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const hash = yield* grown()
        const path = "/state/journal/0000000001.log"
        memory.put(path, Buffer.concat([memory.files().get(path)!, Buffer.from("written by a runtime that was fenced")]))
        assert.strictEqual((yield* verify("/state")).hash, hash)
      }).pipe(Effect.provide(memory.layer))
    })
  )
})

describe("a backup", () => {
  it.effect("made while a runtime appends, rotates and compacts is the state of some moment, and can be started from", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        yield* opened(short, (store) =>
          Effect.gen(function* () {
            yield* fill(store, 0, 10)
            const writing = yield* Effect.forkChild(Effect.andThen(Effect.andThen(fill(store, 10, 60), store.compact), fill(store, 60, 90)))
            for (const n of [1, 2, 3]) {
              const copied = yield* backup("/state", `/copy-${n}`)
              const { ledger } = yield* readState(`/copy-${n}`)
              assert.strictEqual(hashOf(ledger), copied.hash)
              const names = [...ledger.skills.keys()]
              assert.isAtLeast(names.length, 10)
              assert.deepStrictEqual(
                names,
                names.map((_, i) => `s${i}`),
                "no append is missing in between"
              )
              yield* session(`/copy-${n}`, (copy) =>
                Effect.gen(function* () {
                  assert.strictEqual(hashOf(copy.ledger), copied.hash)
                  yield* copy.append(adopted("restored"))
                })
              )
            }
            yield* Fiber.join(writing)
          })
        )
        const copies = [...memory.files().keys()].filter((path) => path.startsWith("/copy-1/"))
        assert.isFalse(copies.some((path) => /owner|lock|draft/.test(path)))
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("goes nowhere where something is", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        yield* grown()
        memory.put("/full/file", "x")
        assert.deepInclude({ ...(yield* Effect.flip(backup("/state", "/full"))) }, { code: "BACKUP_EXISTS" })
        assert.deepInclude({ ...(yield* Effect.flip(backup("/state", "/full/file"))) }, { code: "BACKUP_EXISTS" })
        assert.strictEqual(memory.files().get("/full/file")!.toString(), "x")
      }).pipe(Effect.provide(memory.layer))
    })
  )
})
