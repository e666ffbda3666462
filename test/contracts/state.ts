/** What the state service promises, whatever disk is under it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Result, Stream } from "effect"
import * as fc from "fast-check"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold, type Ledger } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { type NewEvent, readState, type StateOptions, StateStore } from "../../src/layers/StateStore.ts"

/** A ledger as text, to compare two of them. */
export const picture = (ledger: Ledger): string =>
  JSON.stringify({ ...ledger }, (_, value: unknown) => (value instanceof Map ? [...value] : value))

/** An event of the schedule's daily life: what it says does not matter to the journal. */
export const paused = (skill: string, why = "") => ({ type: "skill.paused", atMs: 1, skill, by: "test", why }) satisfies NewEvent
export const adopted = (skill: string) =>
  ({ type: "skill.adopted", atMs: 1, skill, digest: "d", schedule: null, from: 0 }) satisfies NewEvent

/** One start on the directory: the work, then an orderly end. */
export const session = <A, E, R>(
  directory: string,
  work: (store: StateStore["Service"]) => Effect.Effect<A, E, R>,
  options?: StateOptions
) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(StateStore.layer(directory, options)), (built) => Effect.provide(Effect.flatMap(StateStore, work), built))
  )

/** Every file below `journal/` and `damaged/`, by its path from the directory. */
export const filesOf = Effect.fnUntraced(function* (directory: string, folders = ["journal", "damaged"]) {
  const disk = yield* Disk
  const files = new Map<string, Buffer>()
  for (const folder of folders) {
    for (const name of yield* disk.list(`${directory}/${folder}`)) {
      files.set(`${folder}/${name}`, Buffer.from(yield* disk.read(`${directory}/${folder}/${name}`)))
    }
  }
  return files
})

/** A directory with these files in it and nothing else. */
export const plant = Effect.fnUntraced(function* (directory: string, files: ReadonlyMap<string, Uint8Array>) {
  const disk = yield* Disk
  for (const [path, bytes] of files) {
    const at = `${directory}/${path}`
    yield* disk.makeDir(at.slice(0, at.lastIndexOf("/")))
    yield* disk.write(at, bytes)
  }
})

/** Three starts, each with a few appends of one to three events; what they wrote, and the appends in order. */
export const threeStarts = Effect.fnUntraced(function* (directory: string, name = "skill") {
  const appends: Array<ReadonlyArray<JournalEvent>> = []
  for (let start = 1; start <= 3; start++) {
    yield* session(directory, (store) =>
      Effect.gen(function* () {
        for (let i = 0; i < 4; i++) {
          const events = [adopted(`${name}-${start}${i}`), paused(`${name}-${start}${i}`, "é"), paused(`${name}-1${i}`, `${start}`)].slice(
            0,
            1 + (i % 3)
          )
          yield* store.append(...events)
          appends.push(events.map((event) => ({ v: 1, ...event })))
        }
      })
    )
  }
  return { appends, files: yield* filesOf(directory) }
})

/** `folder` makes an empty folder, a new one at each call. */
export const suite = (name: string, layer: Layer.Layer<Disk>, folder: Effect.Effect<string, unknown, Disk>, samples: number) =>
  describe(`the state service on ${name}`, () => {
    const promise = (sentence: string, work: (directory: string) => Effect.Effect<void, unknown, Disk>) =>
      it.live(
        sentence,
        () =>
          Effect.flatMap(folder, (root) => work(`${root}/state`)).pipe(
            Effect.provide(layer),
            Effect.provide(Logger.layer([])),
            Effect.orDie
          ),
        60_000
      )

    promise("has in its ledger at the next start what it acknowledged at this one", (directory) =>
      Effect.gen(function* () {
        const before = yield* session(directory, (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("a"), adopted("b"))
            yield* store.append(paused("b", "why"))
            return picture(store.ledger)
          })
        )
        assert.strictEqual(yield* session(directory, (store) => Effect.sync(() => picture(store.ledger))), before)
        assert.strictEqual(picture((yield* readState(directory)).ledger), before)
        assert.include(before, `"why":"why"`)
      })
    )

    promise("starts each time under a higher epoch, in a segment of its own", (directory) =>
      Effect.gen(function* () {
        const epochs: Array<number> = []
        for (let i = 0; i < 3; i++) epochs.push(yield* session(directory, (store) => Effect.succeed(store.epoch)))
        assert.deepStrictEqual(epochs, [1, 2, 3])
        assert.deepStrictEqual(
          [...(yield* filesOf(directory)).keys()],
          [1, 2, 3].map((n) => `journal/000000000${n}.log`)
        )
      })
    )

    promise("stamps version and instant, and keeps an instant that was given", (directory) =>
      Effect.gen(function* () {
        const from = Date.now()
        yield* session(directory, (store) => store.append({ type: "clock.jumped", byMs: 1 }, { type: "clock.jumped", byMs: 2, atMs: 7 }))
        const lines = (yield* filesOf(directory)).get("journal/0000000001.log")!.toString().trimEnd().split("\n").slice(1)
        const [first, second] = lines.map((line) => JSON.parse(line.split(" ").slice(6).join(" ")))
        assert.deepStrictEqual({ ...first, atMs: 0 }, { type: "clock.jumped", v: 1, atMs: 0, byMs: 1 })
        assert.isTrue(first.atMs >= from && first.atMs <= Date.now())
        assert.strictEqual(second.atMs, 7)
      })
    )

    promise("keeps the order of each author, and shares a sync among those who came together", (directory) =>
      Effect.gen(function* () {
        yield* session(directory, (store) =>
          Effect.forEach(
            Array.from({ length: 50 }, (_, i) => `skill-${i}`),
            (skill) =>
              Effect.gen(function* () {
                yield* store.append(adopted(skill))
                for (let i = 1; i <= 5; i++) yield* store.append(paused(skill, String(i)))
                assert.strictEqual(store.ledger.skills.get(skill)?.paused?.why, "5")
              }),
            { concurrency: "unbounded" }
          )
        )
        const lines = (yield* filesOf(directory)).get("journal/0000000001.log")!.toString().trimEnd().split("\n").slice(1)
        assert.deepStrictEqual(
          lines.map((line) => Number(line.split(" ")[2])),
          Array.from({ length: 300 }, (_, i) => i + 1)
        )
        assert.isAtMost(new Set(lines.map((line) => line.split(" ")[4])).size, 30, "batches")
        const { ledger } = yield* readState(directory)
        assert.deepStrictEqual(
          [...ledger.skills.values()].map((skill) => skill.paused?.why),
          Array(50).fill("5")
        )
      })
    )

    promise("tells every subscriber every event that became durable since, in order", (directory) =>
      session(directory, (store) =>
        Effect.gen(function* () {
          yield* store.append(adopted("before"))
          const subscribe = Effect.gen(function* () {
            const first = yield* Deferred.make<void>()
            const seen: Array<string> = []
            const fiber = yield* Effect.forkChild(
              store.events.pipe(
                Stream.takeUntil((event) => event.type === "skill.paused" && event.why === "99"),
                Stream.runForEach((event) => {
                  if (event.type === "skill.paused") seen.push(event.why)
                  return Deferred.succeed(first, undefined)
                })
              )
            )
            while (!(yield* Deferred.isDone(first))) yield* Effect.andThen(store.append(adopted("knock")), Effect.yieldNow)
            return Effect.as(Fiber.join(fiber), seen)
          })
          const [one, two] = [yield* subscribe, yield* subscribe]
          yield* Effect.forEach(
            Array.from({ length: 100 }, (_, i) => i),
            (i) => store.append(paused("before", String(i)))
          )
          const all = Array.from({ length: 100 }, (_, i) => String(i))
          assert.deepStrictEqual([yield* one, yield* two], [all, all])
        })
      )
    )

    promise("goes on with what an interrupted author had appended", (directory) =>
      Effect.gen(function* () {
        yield* session(directory, (store) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(store.append(adopted("a"), paused("a", "whole")), { startImmediately: true })
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.strictEqual((yield* readState(directory)).ledger.skills.get("a")?.paused?.why, "whole")
      })
    )

    promise("refuses an append after its end", (directory) =>
      Effect.gen(function* () {
        const store = yield* session(directory, Effect.succeed)
        const refused = yield* Effect.flip(store.append(adopted("late")))
        assert.deepInclude({ ...refused }, { code: "STATE_CLOSED", retryable: false })
      })
    )

    promise("recovers from a cut at any byte of the last segment every append before it, and keeps what it cuts", (directory) =>
      Effect.gen(function* () {
        const { appends, files } = yield* threeStarts(directory)
        const last = "journal/0000000003.log"
        const whole = files.get(last)!
        const ends = endsOf(whole)
        const context = yield* Effect.context<Disk>()
        let copies = 0
        const property = fc.asyncProperty(fc.nat(whole.length), (at) =>
          Effect.gen(function* () {
            const copy = `${directory}-${copies++}`
            yield* plant(copy, new Map([...files, [last, whole.subarray(0, at)]]))
            const expected = picture(fold(appends.slice(0, 8 + ends.filter((end) => end <= at).length).flat()))
            const read = yield* readState(copy)
            const opened = yield* session(copy, (store) => Effect.sync(() => ({ ledger: picture(store.ledger), damage: store.damage })))
            assert.strictEqual(picture(read.ledger), expected)
            assert.strictEqual(opened.ledger, expected)
            assert.deepStrictEqual(opened.damage, read.damage === undefined ? [] : [read.damage])
            const after = yield* filesOf(copy)
            const kept = [...after].filter(([path]) => path.startsWith("damaged/")).map(([, bytes]) => bytes)
            assert.isTrue(Buffer.concat([after.get(last)!, ...kept]).equals(whole.subarray(0, at)), "no byte is dropped")
            assert.strictEqual(picture((yield* readState(copy)).ledger), expected, "and the start after that")
          }).pipe(Effect.provideContext(context), Effect.runPromise)
        )
        yield* Effect.promise(() => fc.assert(property, { numRuns: samples, examples: [[0], [whole.length], [whole.length - 1], [1]] }))
      })
    )

    promise("never takes a flipped byte for another state: the start is refused, or the last append is cut and kept", (directory) =>
      Effect.gen(function* () {
        const { appends, files } = yield* threeStarts(directory)
        const states = [appends.length - 1, appends.length].map((n) => picture(fold(appends.slice(0, n).flat())))
        const context = yield* Effect.context<Disk>()
        const names = [...files.keys()]
        let copies = 0
        const came = { refused: 0, cut: 0, same: 0 }
        const property = fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 1, max: 255 }), (name, place, mask) =>
          Effect.gen(function* () {
            const flipped = Buffer.from(files.get(name)!)
            flipped[place % flipped.length]! ^= mask
            const copy = `${directory}-${copies++}`
            const planted = new Map([...files, [name, flipped] as const])
            yield* plant(copy, planted)
            const opened = yield* Effect.exit(session(copy, (store) => Effect.sync(() => picture(store.ledger))))
            if (Exit.isFailure(opened)) {
              came.refused += 1
              for (const [path, bytes] of planted)
                assert.isTrue(bytes.equals((yield* filesOf(copy)).get(path)!), "a refused start changes nothing")
              return
            }
            const at = states.indexOf(opened.value)
            assert.isAtLeast(at, 0)
            came[at === 0 ? "cut" : "same"] += 1
            const after = yield* filesOf(copy)
            const kept = [...after].filter(([path]) => path.startsWith("damaged/")).map(([, bytes]) => bytes)
            for (const [path, bytes] of planted)
              assert.isTrue(bytes.equals(Buffer.concat([after.get(path)!, ...(path === name ? kept : [])])), "no byte is dropped")
          }).pipe(Effect.provideContext(context), Effect.runPromise)
        )
        yield* Effect.promise(() => fc.assert(property, { numRuns: samples * 2 }))
        assert.isAbove(came.refused, 0)
      })
    )

    promise("reads an unknown type of event past, and keeps it for the version that knows it", (directory) =>
      Effect.gen(function* () {
        yield* session(directory, (store) =>
          Effect.andThen(store.append(adopted("a")), store.append({ type: "skill.blessed", skill: "a" } as never))
        )
        const { skills } = yield* session(directory, (store) => Effect.andThen(store.append(adopted("b")), Effect.succeed(store.ledger)))
        assert.deepStrictEqual([...skills.keys()], ["a", "b"])
        assert.strictEqual((yield* readState(directory)).unknown, 1)
        assert.include((yield* filesOf(directory)).get("journal/0000000002.log")!.toString(), "skill.blessed")
      })
    )

    promise("refuses a journal of a newer format, and touches nothing", (directory) =>
      Effect.gen(function* () {
        const header = `{"product":"holdfast","format":999,"anything":"else"}`
        yield* plant(directory, new Map([["journal/0000000007.log", Buffer.from(`${header}\n`)]]))
        const disk = yield* Disk
        const before = yield* disk.stat(`${directory}/journal/0000000007.log`)
        const refused = yield* Effect.flip(session(directory, () => Effect.void))
        assert.deepInclude({ ...refused }, { code: "STATE_TOO_NEW", got: "format 999" })
        assert.deepStrictEqual(yield* disk.list(directory), ["journal"])
        assert.deepStrictEqual(yield* disk.stat(`${directory}/journal/0000000007.log`), before)
        assert.strictEqual((yield* Effect.flip(readState(directory))).code, "STATE_TOO_NEW")
      })
    )

    promise("refuses a missing, a foreign and a renamed segment by name", (directory) =>
      Effect.gen(function* () {
        const { files } = yield* threeStarts(directory)
        const foreign = yield* threeStarts(`${directory}-other`, "other")
        const [one, two, three] = [...files.keys()] as [string, string, string]
        const codeWith = (name: string, change: (files: Map<string, Buffer>) => void) =>
          Effect.gen(function* () {
            const changed = new Map(files)
            change(changed)
            yield* plant(`${directory}-${name}`, changed)
            return (yield* Effect.flip(readState(`${directory}-${name}`))).code
          })
        assert.strictEqual(yield* codeWith("gap", (all) => all.delete(two)), "JOURNAL_GAP")
        assert.strictEqual(yield* codeWith("first", (all) => all.delete(one)), "JOURNAL_GAP")
        assert.strictEqual(
          yield* codeWith("renamed", (all) => all.set("journal/0000000004.log", all.get(three)!).delete(three)),
          "JOURNAL_GAP"
        )
        assert.strictEqual(yield* codeWith("swapped", (all) => all.set(two, all.get(three)!)), "JOURNAL_FOREIGN")
        assert.strictEqual(yield* codeWith("foreign", (all) => all.set(two, foreign.files.get(two)!)), "JOURNAL_FOREIGN")
      })
    )

    promise("refuses what is no state directory, each kind by its own code", (directory) =>
      Effect.gen(function* () {
        const codeOf = (at: string) =>
          Effect.map(Effect.result(session(at, () => Effect.void)), (result) => (Result.isFailure(result) ? result.failure.code : "opened"))
        yield* plant(directory, new Map([["holiday.jpg", Buffer.from("x")]]))
        assert.strictEqual(yield* codeOf(directory), "STATE_DIR_FOREIGN")
        assert.strictEqual(yield* codeOf(`${directory}/holiday.jpg`), "STATE_DIR_NOT_DIR")
        assert.strictEqual(yield* codeOf("state"), "STATE_DIR_RELATIVE")
        assert.strictEqual(yield* codeOf(`${directory}/deep/and/new`), "opened")
      })
    )

    promise("is refused to a second runtime until the first has ended", (directory) =>
      Effect.gen(function* () {
        yield* session(directory, (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("mine"))
            assert.strictEqual((yield* Effect.flip(session(directory, () => Effect.void)))._tag, "LockHeld")
            yield* session(`${directory}-other`, (other) => other.append(adopted("theirs")))
            yield* store.append(adopted("still-mine"))
          })
        )
        yield* session(directory, () => Effect.void)
      })
    )

    promise("is read while it is at work without being changed", (directory) =>
      Effect.gen(function* () {
        yield* session(directory, (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("a"))
            const before = yield* filesOf(directory)
            assert.strictEqual(picture((yield* readState(directory)).ledger), picture(store.ledger))
            assert.deepStrictEqual(yield* filesOf(directory), before)
            yield* store.append(adopted("b"))
          })
        )
      })
    )
  })

/** Where each append of a segment ends, those of its birth not counted. */
const endsOf = (segment: Buffer): ReadonlyArray<number> => {
  const ends: Array<number> = []
  let born = false
  for (let at = 0; at < segment.length;) {
    const end = segment.indexOf(10, at) + 1
    const more = Number(segment.toString("latin1", at, end).split(" ")[5])
    if (more === 0) {
      if (born) ends.push(end)
      born = true
    }
    at = end
  }
  return ends
}
