import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Option } from "effect"
import { hashOf } from "../../src/domain/canonical.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { plan, repair } from "../../src/layers/Repair.ts"
import { readState, type StateOptions, type StateStore } from "../../src/layers/StateStore.ts"
import { verify } from "../../src/layers/Verify.ts"
import { simulatedDisk } from "../../src/testing/disk/SimulatedDisk.ts"
import { adopted, paused, session } from "../contracts/state.ts"
import { imageOf } from "../failures/crashStates.ts"

type Files = ReadonlyMap<string, Buffer>

const opened = <A, E, R>(options: StateOptions, work: (store: StateStore["Service"]) => Effect.Effect<A, E, R>) =>
  session("/state", work, { reserveBytes: 64, segmentBytes: 600, ...options })

/** Twelve segments or so over three starts, with checkpoints in between; the hash of each state on the way, in order. */
const grown = (options: StateOptions = {}, compacting = true) =>
  Effect.gen(function* () {
    const memory = Disk.memory()
    const hashes: Array<string> = []
    for (const from of [0, 6, 12]) {
      yield* opened(options, (store) =>
        Effect.gen(function* () {
          if (from === 0) hashes.push(hashOf(store.ledger))
          for (let n = from; n < from + 6; n++) {
            yield* store.append(adopted(`s${n}`), paused(`s${n}`))
            hashes.push(hashOf(store.ledger))
          }
          if (compacting) yield* store.compact
        })
      ).pipe(Effect.provide(memory.layer))
    }
    return { hashes, files: only(memory.files()) }
  })

/** The journal and what was cut of it. */
const only = (files: Files) => new Map([...files].filter(([path]) => /^\/state\/(journal|damaged)\//.test(path)))

const diskOf = (files: Files) => {
  const memory = Disk.memory()
  for (const [path, bytes] of files) memory.put(path, bytes)
  return memory
}

const flipped = (files: Files, path: string, at: number): Files => {
  const bytes = Buffer.from(files.get(path)!)
  bytes[at]! ^= 4
  return new Map(files).set(path, bytes)
}
const without = (files: Files, path: string): Files => new Map([...files].filter(([other]) => other !== path))

/** Every sort of damage, at many places. */
const damages = function* (files: Files): Generator<readonly [name: string, damaged: Files]> {
  const paths = [...files.keys()]
  for (const [i, path] of paths.entries()) {
    const bytes = files.get(path)!
    for (let at = 0; at < bytes.length; at += 61) yield [`a flipped bit in ${path} at ${at}`, flipped(files, path, at)]
    for (const to of [1, bytes.length >> 1, bytes.length - 2])
      yield [`${path} cut to ${to}`, new Map(files).set(path, bytes.subarray(0, to))]
    yield [`${path} missing`, without(files, path)]
    yield [`${path} in the place of ${paths[(i + 2) % paths.length]}`, new Map(files).set(paths[(i + 2) % paths.length]!, bytes)]
  }
}

/** Each file as it was: what is there now with what was cut from it, or the whole in `damaged/`. */
const together = (files: Files, path: string): Buffer => {
  const name = path.slice("/state/journal/".length)
  const tail = [...files].find(([kept]) => kept.startsWith(`/state/damaged/${name.replace(".log", "")}-`) && kept.endsWith(".bin"))
  const whole = [...files].find(([kept]) => kept.startsWith(`/state/damaged/${name}-`))
  return whole?.[1] ?? Buffer.concat([files.get(path) ?? Buffer.alloc(0), tail?.[1] ?? Buffer.alloc(0)])
}

const planned = (files: Files) => plan("/state").pipe(Effect.provide(diskOf(files).layer))

describe("a repair", () => {
  for (const [name, options, compacting] of [
    ["all of its history and two checkpoints", {}, true],
    ["history that has gone", { history: { runs: 0, days: 0 } }, true],
    ["no checkpoint", {}, false]
  ] as const) {
    it.live(
      `of a journal with ${name} gives back a state that was, through the damage, and keeps every byte`,
      () =>
        Effect.gen(function* () {
          const { files, hashes } = yield* grown(options, compacting)
          let repaired = 0
          for (const [sort, damaged] of damages(files)) {
            const memory = diskOf(damaged)
            yield* Effect.gen(function* () {
              const found = yield* plan("/state")
              assert.deepStrictEqual(memory.files(), diskOf(damaged).files(), `${sort}: looking changed something`)
              if (found === undefined) return
              repaired += 1
              const started = yield* Effect.option(readState("/state"))
              const report = yield* repair("/state", found)
              const verified = yield* verify("/state")
              assert.strictEqual(verified.hash, found.kept.hash, sort)
              assert.include(hashes, verified.hash, `${sort}: a state that never was`)
              if (Option.isSome(started)) {
                assert.strictEqual(verified.hash, hashOf(started.value.ledger), `${sort}: a start would have lost nothing`)
              }
              const whole = wholeThrough(files, damaged, hashes)
              assert.isAtLeast(hashes.indexOf(verified.hash), whole, `${sort}: more is lost than is damaged`)
              const after = only(memory.files())
              for (const path of damaged.keys()) assert.deepStrictEqual(together(after, path), damaged.get(path), `${sort}: ${path}`)
              const written = JSON.parse(memory.files().get(`/state/${report}`)!.toString()) as Record<string, unknown>
              assert.deepInclude(written["damage"], { code: found.damage.code, where: found.damage.where })
              assert.isUndefined(yield* plan("/state"), `${sort}: a second repair finds something`)

              const epochs = [...damaged.keys()].map((path) => Number(/(\d{10})\.log$/.exec(path)?.[1] ?? 0))
              yield* opened(options, (store) =>
                Effect.gen(function* () {
                  assert.strictEqual(hashOf(store.ledger), verified.hash, sort)
                  assert.isAbove(store.epoch, Math.max(...epochs), `${sort}: an epoch that was there before`)
                  yield* store.append(adopted("next"))
                })
              )
              assert.isTrue((yield* readState("/state")).ledger.skills.has("next"), sort)
              yield* verify("/state")
            }).pipe(Effect.provide(memory.layer))
          }
          assert.isAbove(repaired, 50)
        }).pipe(Effect.provide(Logger.layer([]))),
      60_000
    )
  }

  it.live("says which work it speaks of no more", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        yield* opened({ segmentBytes: 100_000 }, (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("a"))
            for (const run of ["a@20261122T060000Z", "a@20261122T070000Z"]) {
              yield* store.append({ type: "run.claimed", atMs: 5, run, skill: "a", slot: 1, fence: 1, digest: "d", missed: 0 })
              yield* store.append({ type: "attempt.started", atMs: 6, run, attempt: 1 })
              yield* store.append({ type: "step.finished", atMs: 7, run, attempt: 1, step: "one", result: 1 })
              const end = { outcome: "success", reason: "", startedAtMs: 6, durationMs: 1, fields: {} } as const
              yield* store.append({ type: "run.settled", atMs: 8, run, ...end, report: { session: "main", text: "done" } })
              yield* store.append({ type: "entry.acknowledged", atMs: 9, run, how: "reply" })
            }
            yield* store.append(adopted("z"))
          })
        )
        const path = "/state/journal/0000000001.log"
        const bytes = Buffer.from(memory.files().get(path)!)
        bytes[bytes.indexOf('"a@20261122T070000Z"') + 4]! ^= 1 // In the claim of the second run.
        memory.put(path, bytes)
        const found = (yield* plan("/state"))!
        assert.strictEqual(found.damage.code, "JOURNAL_CORRUPT")
        const run = "a@20261122T070000Z"
        assert.deepInclude(found.lost, { runs: [run], steps: [`${run}/one`], reports: [run], fromAtMs: 5, toAtMs: 1 })
        assert.deepStrictEqual(
          found.cuts.map(({ file }) => file),
          ["journal/0000000001.log"]
        )
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.live("that a crash ends at any moment is done again, and comes to the same", () =>
    Effect.gen(function* () {
      const { files } = yield* grown({}, false)
      const paths = [...files.keys()]
      const damaged = flipped(without(files, paths.at(-2)!), paths[5]!, 400)
      const wanted = (yield* planned(damaged))!
      assert.deepStrictEqual([wanted.cuts.length, wanted.missing.length], [5, 1])
      const left = new Map<string, Files>()
      const sim = simulatedDisk(imageOf(damaged), () => {
        for (const image of sim.durability.images(100, () => 0.5)) {
          left.set([...image.files].map(([path, bytes]) => `${path} ${bytes.toString("latin1")}`).join("\n"), image.files)
        }
      })
      yield* Effect.provideService(repair("/state", wanted), Disk, sim.disk)
      assert.isAbove(left.size, 50)
      for (const remains of left.values()) {
        const memory = diskOf(remains)
        yield* Effect.gen(function* () {
          const again = yield* plan("/state")
          if (again !== undefined) yield* repair("/state", again)
          assert.strictEqual((yield* verify("/state")).hash, wanted.kept.hash)
        }).pipe(Effect.provide(memory.layer))
        for (const [path, bytes] of damaged) assert.deepStrictEqual(together(only(memory.files()), path), bytes, path)
      }
    })
  )

  it.live("leaves alone what is whole, what is only torn, and what a newer version wrote", () =>
    Effect.gen(function* () {
      const { files } = yield* grown()
      assert.isUndefined(yield* planned(files))
      const last = [...files.keys()].filter((path) => path.endsWith(".log")).at(-1)!
      assert.isUndefined(yield* planned(new Map(files).set(last, Buffer.concat([files.get(last)!, Buffer.from("12 ab")]))))
      const newer = Buffer.from(files.get(last)!.toString("latin1").replace('"format":2', '"format":9'), "latin1")
      assert.deepInclude({ ...(yield* Effect.flip(planned(new Map(files).set(last, newer)))) }, { code: "STATE_TOO_NEW" })
    })
  )
})

/** How many appends the undamaged beginning of the journal is sure to hold, counted by the names in its whole segments. */
const wholeThrough = (files: Files, damaged: Files, hashes: ReadonlyArray<string>): number => {
  let text = ""
  for (const [path, bytes] of files) {
    if (!path.endsWith(".log")) continue
    if (damaged.get(path)?.equals(bytes) !== true) break
    text += bytes.toString()
  }
  let n = 0
  while (n + 1 < hashes.length && text.includes(`"type":"skill.paused","v":1,"atMs":1,"skill":"s${n}"`)) n += 1
  return n
}
