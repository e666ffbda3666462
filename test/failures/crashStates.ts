/**
 * Every disk that a crash can leave, at every step of the ways in which the state service writes: each is started from, and
 * has to add up to some prefix of what was appended, with all that was acknowledged in it; then started from once more.
 */
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { hashOf } from "../../src/domain/canonical.ts"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { Ledger } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, StateStore, type StateOptions } from "../../src/layers/StateStore.ts"
import type { Image } from "../../src/testing/disk/Durability.ts"
import { type SimulatedDisk, simulatedDisk } from "../../src/testing/disk/SimulatedDisk.ts"
import { adopted, paused } from "../contracts/state.ts"

/** One disk, many starts on it; it keeps count of what was asked for and what was acknowledged. */
export interface Stage {
  readonly sim: () => SimulatedDisk
  /** A start; the scope ends it in order, `crash` does not. */
  readonly start: (options?: StateOptions) => Effect.Effect<Started, unknown>
  /** Goes on with the disk as a running system sees it, or as a crash left it. */
  readonly crash: (choose: (images: ReadonlyArray<Image>) => Image) => void
}

export interface Started {
  readonly append: (name: string, size?: number) => Effect.Effect<void>
  readonly compact: Effect.Effect<void, unknown>
  readonly close: Effect.Effect<void>
}

export interface Scenario {
  readonly name: string
  /** Runs once for each of these numbers. */
  readonly turns?: number
  /** What is there before it begins. */
  readonly given?: () => { readonly files: ReadonlyMap<string, Buffer>; readonly ledger: () => Ledger }
  readonly play: (stage: Stage, turn: number) => Effect.Effect<void, unknown>
}

export interface Walked {
  readonly name: string
  /** Moments at which a crash was tried, and different disks that it left. */
  readonly moments: number
  readonly states: number
  readonly checked: number
  /** Moments at which not every disk was made, since there were too many. */
  readonly sampled: number
  readonly violations: ReadonlyArray<string>
}

const small: StateOptions = { reserveBytes: 64 }
const eventsOf = (name: string, size: number): ReadonlyArray<JournalEvent> =>
  [adopted(name), paused(name, "x".repeat(size))].map((event) => ({ v: 1, ...event }))

/** Plays a scenario, crashes it everywhere, and checks each `every`-th of the disks. */
export const walk = async (scenario: Scenario, every: number, seed: number): Promise<Walked> => {
  const random = chance(seed)
  const found = new Map<string, Found>()
  let [moments, sampled] = [0, 0]
  for (let turn = 1; turn <= (scenario.turns ?? 1); turn++) {
    const given = scenario.given?.()
    /** What each start was asked to append, and how much of it, from its first on, it acknowledged. */
    const starts: Array<{ readonly submitted: Array<ReadonlyArray<JournalEvent>>; readonly acknowledged: Set<number> }> = []
    const settled = ({ acknowledged }: (typeof starts)[number]) => {
      let n = 0
      while (acknowledged.has(n)) n += 1
      return n
    }
    let over = false
    const scopes: Array<Scope.Closeable> = []
    const look = () => {
      if (over) return // What the writers of this turn still do is no part of it.
      moments += 1
      const images = sim.durability.images(most, random)
      for (let next = images.next(); ; next = images.next()) {
        if (next.done === true) {
          if (!next.value.all) sampled += 1
          break
        }
        note(
          found,
          next.value,
          turn,
          starts.map(settled),
          starts.map(({ submitted }) => submitted.length)
        )
      }
    }
    let sim = simulatedDisk(given && imageOf(given.files), look)
    const stage: Stage = {
      sim: () => sim,
      crash: (choose) => {
        const images = [...sim.durability.images(most, random)]
        sim = simulatedDisk(choose(images), look)
      },
      start: (options = {}) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          scopes.push(scope)
          const here = { submitted: [] as Array<ReadonlyArray<JournalEvent>>, acknowledged: new Set<number>() }
          starts.push(here)
          const store = yield* Layer.build(StateStore.layer("/state", { ...small, ...options })).pipe(
            Effect.flatMap((built) => Effect.provide(StateStore, built)),
            Effect.provideService(Disk, { ...sim.disk }), // A lock of its own: that of a machine may fail, the fence may not.
            Scope.provide(scope)
          )
          return {
            append: (name, size = 10) =>
              Effect.suspend(() => {
                const number = here.submitted.push(eventsOf(name, size)) - 1
                return Effect.match(store.append(adopted(name), paused(name, "x".repeat(size))), {
                  onSuccess: () => void here.acknowledged.add(number),
                  onFailure: () => {}
                })
              }),
            compact: store.compact,
            close: Scope.close(scope, Exit.void)
          }
        })
    }
    await Effect.runPromise(scenario.play(stage, turn).pipe(Effect.provide(Logger.layer([]))))
    look()
    over = true
    await Effect.runPromise(
      Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { discard: true }).pipe(Effect.provide(Logger.layer([])))
    )
    const states = prefixes(
      starts.map(({ submitted }) => submitted),
      () => given?.ledger() ?? new Ledger()
    )
    for (const one of found.values()) if (one.turn === turn) one.states = states
  }
  const violations: Array<string> = []
  let checked = 0
  for (const [i, one] of [...found.values()].entries()) {
    if (i % every !== 0) continue
    checked += 1
    const verdict = await check(one)
    if (verdict !== undefined) violations.push(`${scenario.name}, disk ${i}: ${verdict}`)
  }
  return { name: scenario.name, moments, states: found.size, checked, sampled, violations }
}

/** Disks made at one moment, at most. */
const most = 729

interface Found {
  readonly image: Image
  readonly turn: number
  /** Of each start. */
  acknowledged: ReadonlyArray<number>
  submitted: ReadonlyArray<number>
  states: ReadonlyMap<string, ReadonlyArray<Cut>>
}

/** How many of its appends are there, of each start. */
type Cut = ReadonlyArray<number>

/** Every state that there may be: of each start the appends up to some one, since those behind an append that failed fail too. */
const prefixes = (starts: ReadonlyArray<ReadonlyArray<ReadonlyArray<JournalEvent>>>, empty: () => Ledger): Map<string, Array<Cut>> => {
  const cuts = starts.reduce<ReadonlyArray<Cut>>(
    (all, { length }) => all.flatMap((cut) => Array.from({ length: length + 1 }, (_, n) => [...cut, n])),
    [[]]
  )
  const states = new Map<string, Array<Cut>>()
  for (const cut of cuts) {
    const ledger = empty()
    for (const [i, appends] of starts.entries()) for (const event of appends.slice(0, cut[i]).flat()) ledger.apply(event)
    const hash = hashOf(ledger)
    states.set(hash, [...(states.get(hash) ?? []), cut])
  }
  return states
}

/** The same disk may be left at several moments: the most that was acknowledged and the least that was asked for bind it. */
const note = (found: Map<string, Found>, image: Image, turn: number, acknowledged: Cut, submitted: Cut): void => {
  const hash = createHash("sha1").update(String(turn))
  for (const [path, bytes] of [...image.files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`\n${path} ${bytes.length}\n`).update(bytes)
  const key = hash.digest("hex")
  const known = found.get(key)
  if (known === undefined) found.set(key, { image, turn, acknowledged, submitted, states: new Map() })
  else {
    known.acknowledged = acknowledged.map((n, i) => Math.max(n, known.acknowledged[i] ?? 0))
    known.submitted = known.submitted.map((n, i) => Math.min(n, submitted[i] ?? 0))
  }
}

const check = async ({ image, acknowledged, submitted, states }: Found): Promise<string | undefined> => {
  const sim = simulatedDisk(image)
  const hash = Effect.scoped(
    Effect.flatMap(Layer.build(StateStore.layer("/state", small)), (built) =>
      Effect.provide(
        StateStore.use((store) => Effect.sync(() => hashOf(store.ledger))),
        built
      )
    )
  )
  const [first, second, read] = await Effect.runPromise(
    Effect.all([Effect.exit(hash), Effect.exit(hash), Effect.exit(Effect.map(readState("/state"), ({ ledger }) => hashOf(ledger)))]).pipe(
      Effect.provideService(Disk, sim.disk),
      Effect.provide(Logger.layer([]))
    )
  )
  if (Exit.isFailure(first)) return `the start fails: ${JSON.stringify(first.cause)}`
  const cuts = states.get(first.value)
  if (cuts === undefined) return "the state is that of no prefix"
  if (!cuts.some((cut) => acknowledged.every((n, i) => cut[i]! >= n)))
    return `acknowledged were ${acknowledged.join()}, there are ${cuts.join(" or ")}`
  if (!cuts.some((cut) => cut.every((n, i) => n <= (submitted[i] ?? 0))))
    return `submitted were ${submitted.join()}, there are ${cuts.join(" or ")}`
  if (Exit.isFailure(second) || second.value !== first.value) return "a second start comes to another state"
  if (Exit.isFailure(read) || read.value !== first.value) return "a reader comes to another state"
  return undefined
}

const many = (started: Started, from: number, to: number, size?: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, i) => `s${from + i}`),
    (name) => started.append(name, size),
    { discard: true }
  )

/** The live system as it is: a process that was killed, on a machine that was not. */
const killed = (stage: Stage) => {
  const { memory } = stage.sim()
  const files = memory.files()
  stage.crash(() => imageOf(files))
}
const torn = (images: ReadonlyArray<Image>): Image => images[images.length >> 1]!

export const imageOf = (files: ReadonlyMap<string, Buffer>): Image => {
  const folders = new Set(["/"])
  for (const path of files.keys()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) folders.add(path.slice(0, at))
  }
  return { files, folders: new Set([...folders].sort()) }
}

const formatOne = () => {
  const folder = join(import.meta.dirname, "../fixtures/state/format-1/events/journal")
  const files = new Map(readdirSync(folder).map((name) => [`/state/journal/${name}`, readFileSync(join(folder, name))]))
  const { disk } = simulatedDisk(imageOf(files))
  return { files, ledger: () => Effect.runSync(readState("/state").pipe(Effect.provideService(Disk, disk))).ledger }
}

export const scenarios: ReadonlyArray<Scenario> = [
  { name: "first boot", play: (stage) => Effect.flatMap(stage.start(), ({ close }) => close) },
  {
    name: "append",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 3)
      })
  },
  {
    name: "batch",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* Effect.forEach(["a", "b", "c", "d"], (name) => store.append(name), { concurrency: "unbounded", discard: true })
        yield* store.append("e")
      })
  },
  {
    name: "orderly restart",
    play: (stage) =>
      Effect.gen(function* () {
        for (const n of [0, 2, 4]) {
          const store = yield* stage.start()
          yield* many(store, n, n + 2)
          yield* store.close
        }
      })
  },
  {
    name: "rotate",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 7)
      })
  },
  {
    name: "compact",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 4)
        yield* store.compact
        yield* many(store, 4, 8)
        yield* store.compact
        yield* store.append("last")
      })
  },
  {
    name: "history goes",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 500, history: { runs: 0, days: 0 } })
        for (const n of [0, 3, 6]) {
          yield* many(store, n, n + 3)
          yield* store.compact
        }
        yield* store.append("last")
      })
  },
  {
    name: "recovery after a kill",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 2)
        killed(stage)
        const next = yield* stage.start()
        yield* next.append("next")
      })
  },
  {
    name: "recovery of a recovery",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 2)
        stage.crash(torn)
        const next = yield* stage.start()
        stage.crash(torn)
        const third = yield* stage.start()
        yield* third.append("third")
        yield* next.close
      })
  },
  {
    name: "lock take-over",
    play: (stage) =>
      Effect.gen(function* () {
        const old = yield* stage.start({ segmentBytes: 500 })
        yield* many(old, 0, 2)
        const next = yield* stage.start()
        yield* Effect.all([old.append("of the old one"), next.append("of the new one")], { concurrency: "unbounded", discard: true })
        yield* old.append("too late")
      })
  },
  {
    name: "migrate",
    given: formatOne,
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* store.append("of format 2")
      })
  },
  {
    name: "disk full at each write",
    turns: 12,
    play: (stage, turn) =>
      Effect.gen(function* () {
        stage.sim().refuse(turn, "ENOSPC")
        const store = yield* Effect.result(stage.start({ segmentBytes: 500 }))
        if (store._tag === "Failure") return
        yield* many(store.success, 0, 4)
      })
  },
  {
    name: "failed sync at each sync",
    turns: 8,
    play: (stage, turn) =>
      Effect.gen(function* () {
        stage.sim().failSync(turn)
        const store = yield* Effect.result(stage.start({ segmentBytes: 500 }))
        if (store._tag === "Success") yield* many(store.success, 0, 4)
        // On what can be read, though the disk has forgotten a part of it. Where the start met the failure, the one after it.
        const next = yield* Effect.catch(stage.start(), () => stage.start())
        yield* next.append("next")
      })
  }
]

const chance = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
