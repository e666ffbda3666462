/**
 * Every disk that a crash can leave, at every step of the ways in which the state service writes: each is started from, and
 * has to add up to some prefix of what was appended, with all that was acknowledged in it; then started from once more.
 */
import { Effect, Logger } from "effect"
import { createHash } from "node:crypto"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { Disk } from "../../src/layers/Disk.ts"
import { type Image, sectorBytes } from "../../src/testing/disk/Durability.ts"
import { simulatedDisk } from "../../src/testing/disk/SimulatedDisk.ts"
import { type Cut, type Known, ledgerOf, prefixes, verdict } from "./judge.ts"
import { mulberry32 } from "./mulberry32.ts"
import { recordedOf, type Scenario, type Stage } from "./scenarios.ts"
import { starts } from "./stage.ts"

export interface Walked {
  readonly name: string
  /** Moments at which a crash was tried, and different disks that it left. */
  readonly moments: number
  readonly states: number
  /** Moments at which not every disk was made, since there were too many. */
  readonly sampled: number
  readonly violations: ReadonlyArray<string>
}

export interface How {
  readonly seed?: number
  /** Bytes that are kept or lost together. */
  readonly pieceBytes?: number
  /** Disks made at one moment, at most. */
  readonly most?: number
  /** Orders of its writers that are tried, at most. */
  readonly turns?: number
}

/** Plays a scenario, crashes it everywhere, and starts from every disk that this leaves. */
export const walk = async (
  scenario: Scenario,
  { seed = 1, pieceBytes = sectorBytes, most = 729, turns = Infinity }: How = {}
): Promise<Walked> => {
  const random = mulberry32(seed)
  const given = new Map([...(scenario.given?.() ?? [])].map(([name, bytes]) => [`/state/journal/${name}`, bytes]))
  const violations: Array<string> = []
  let [moments, sampled, states] = [0, 0, 0]
  for (let turn = 1; turn <= Math.min(scenario.turns ?? 1, turns); turn++) {
    const found = new Map<string, Found>()
    /** What each start was asked to append, and how much of it, from its first on, it acknowledged. */
    const asked: Array<{ readonly submitted: Array<ReadonlyArray<JournalEvent>>; readonly acknowledged: Set<number>; copied?: number }> = []
    let over = false
    const look = () => {
      if (over) return // What the writers of this turn still do is no part of it.
      moments += 1
      const images = sim.durability.images(most, random)
      const acknowledged = asked.map(({ acknowledged }) => settled(acknowledged))
      const submitted = asked.map(({ submitted }) => submitted.length)
      for (let next = images.next(); ; next = images.next()) {
        if (next.done === true) {
          if (!next.value.all) sampled += 1
          break
        }
        const copied = asked.some(({ copied }) => copied !== undefined) ? asked.map(({ copied }) => copied ?? 0) : undefined
        note(found, next.value, acknowledged, submitted, copied)
      }
    }
    let sim = simulatedDisk(given.size === 0 ? undefined : imageOf(given), look, pieceBytes)
    const shuffle = mulberry32(turn)
    const made = starts(
      () => (scenario.shuffled === true ? unhurried(sim.disk, shuffle) : sim.disk),
      "/state",
      () => {
        const here: (typeof asked)[number] = { submitted: [], acknowledged: new Set() }
        asked.push(here)
        return {
          submitted: (_, name, size) => void here.submitted.push(recordedOf(name, size)),
          acknowledged: (n) => void here.acknowledged.add(n),
          copied: (acknowledged) => {
            here.copied = acknowledged
            look() // Told of without a change to the disk: from now on the copy counts.
          }
        }
      }
    )
    const stage: Stage = {
      start: made.start,
      kill: () => {
        sim = simulatedDisk(imageOf(sim.memory.files()), look, pieceBytes)
      },
      cut: () => {
        const images = [...sim.durability.images(most, random)]
        sim = simulatedDisk(images[images.length >> 1], look, pieceBytes)
      },
      refuse: (n, code) => sim.refuse(n, code),
      failSync: (n) => sim.failSync(n),
      visited: Effect.void,
      refused: Effect.void
    }
    await Effect.runPromise(scenario.play(stage, turn).pipe(Effect.provide(Logger.layer([]))))
    look()
    over = true
    await Effect.runPromise(made.end.pipe(Effect.provide(Logger.layer([]))))
    const all = prefixes(
      asked.map(({ submitted }) => submitted),
      () => ledgerOf(given)
    )
    for (const [i, one] of [...found.values()].entries()) {
      const wrong = await verdict(simulatedDisk(one.image).disk, "/state", { ...one, states: all })
      if (wrong !== undefined) violations.push(`${scenario.name}, turn ${turn}, disk ${i}: ${wrong}`)
    }
    states += found.size
  }
  return { name: scenario.name, moments, states, sampled, violations }
}

/** The same disk, whose calls let others go before them. */
const unhurried = (disk: Disk["Service"], random: () => number): Disk["Service"] => {
  const wait = Effect.suspend(() =>
    Effect.forEach(Array.from({ length: Math.floor(random() * 6) }), () => Effect.yieldNow, { discard: true })
  )
  return {
    ...disk,
    open: (path, options) => Effect.andThen(wait, disk.open(path, options)),
    read: (path) => Effect.andThen(wait, disk.read(path)),
    list: (folder) => Effect.andThen(wait, disk.list(folder)),
    stat: (path) => Effect.andThen(wait, disk.stat(path)),
    syncDir: (folder) => Effect.andThen(wait, disk.syncDir(folder))
  }
}

/** A disk with these files in it, all of them durable. */
export const imageOf = (files: ReadonlyMap<string, Buffer>): Image => {
  const folders = new Set(["/"])
  for (const path of files.keys()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) folders.add(path.slice(0, at))
  }
  return { files, folders: new Set([...folders].sort()) }
}

interface Found extends Omit<Known, "states"> {
  readonly image: Image
  acknowledged: Cut
  submitted: Cut
  copied: Cut | undefined
}

/** The same disk may be left at several moments: the most that was acknowledged and the least that was asked for bind it. */
const note = (found: Map<string, Found>, image: Image, acknowledged: Cut, submitted: Cut, copied: Cut | undefined): void => {
  const hash = createHash("sha1")
  for (const [path, bytes] of [...image.files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`\n${path} ${bytes.length}\n`).update(bytes)
  const key = hash.digest("hex")
  const known = found.get(key)
  if (known === undefined) found.set(key, { image, acknowledged, submitted, copied })
  else {
    known.acknowledged = acknowledged.map((n, i) => Math.max(n, known.acknowledged[i] ?? 0))
    known.copied = copied ?? known.copied
    known.submitted = known.submitted.map((n, i) => Math.min(n, submitted[i] ?? 0))
  }
}

/** How many, from the first on, without a gap. */
const settled = (acknowledged: ReadonlySet<number>): number => {
  let n = 0
  while (acknowledged.has(n)) n += 1
  return n
}
