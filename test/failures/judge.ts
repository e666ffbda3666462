/** Whether what a crash left is what it has to be: some prefix of what was appended, with all that was acknowledged in it. */
import { Effect, Exit, Layer, Logger } from "effect"
import { hashOf } from "../../src/domain/canonical.ts"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { Ledger } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, StateStore } from "../../src/layers/StateStore.ts"
import { small } from "./scenarios.ts"
import { copyOf } from "./stage.ts"

/** What is known from outside of what a crash left. Of each start: how many appends it had been asked for, how many it had acknowledged. */
export interface Known {
  readonly acknowledged: Cut
  readonly submitted: Cut
  /** What had been acknowledged when a backup began that is durable. */
  readonly copied?: Cut | undefined
  readonly states: ReadonlyMap<string, ReadonlyArray<Cut>>
}

/** How many of its appends are there, of each start. */
export type Cut = ReadonlyArray<number>

/** Every state that there may be: of each start the appends up to some one, since those behind an append that failed fail too. */
export const prefixes = (
  starts: ReadonlyArray<ReadonlyArray<ReadonlyArray<JournalEvent>>>,
  empty: () => Ledger
): Map<string, Array<Cut>> => {
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

/** What is wrong with a directory, or with its backup; nothing where both are as they have to be. Starts twice on each. */
export const verdict = async (disk: Disk["Service"], directory: string, known: Known): Promise<string | undefined> => {
  const wrong = await verdictOf(disk, directory, known)
  if (wrong !== undefined) return wrong
  const copy = copyOf(directory)
  if (known.copied !== undefined) {
    const wrong = await verdictOf(disk, copy, { ...known, acknowledged: known.copied })
    return wrong && `the backup: ${wrong}`
  }
  // One that nobody was told of may be refused, but it is not taken for what never was.
  const [read] = await exits(disk, [reading(copy)])
  const was = (hash: string) => known.states.has(hash) || hash === hashOf(ledgerOf(new Map())) // Nothing is copied yet.
  return Exit.isSuccess(read!) && !was(read.value) ? "a part of a backup is the state of no prefix" : undefined
}

const verdictOf = async (
  disk: Disk["Service"],
  directory: string,
  { acknowledged, submitted, states }: Known
): Promise<string | undefined> => {
  const torn = await Effect.runPromise(Effect.provideService(tornView(directory), Disk, disk))
  if (torn !== undefined) return torn
  // A reader comes first: it meets what the crash left, which a start mends.
  const [before, first, second, after] = await exits(disk, [reading(directory), start(directory), start(directory), reading(directory)])
  if (Exit.isFailure(first!)) return `the start fails: ${JSON.stringify(first.cause)}`
  const hash = first!.value
  const cuts = states.get(hash)
  if (cuts === undefined) return "the state is that of no prefix"
  const proper = (cut: Cut) => cut.every((n, i) => n >= (acknowledged[i] ?? 0) && n <= (submitted[i] ?? 0))
  if (!cuts.some(proper)) return `acknowledged were ${acknowledged.join()} of ${submitted.join()}, there are ${cuts.join(" or ")}`
  if (Exit.isFailure(second!) || second!.value !== hash) return "a second start comes to another state"
  if (Exit.isFailure(before!)) return `a reader before the start fails: ${JSON.stringify(before.cause)}`
  if (before!.value !== hash) return "a reader before the start comes to another state"
  if (Exit.isFailure(after!) || after!.value !== hash) return "a reader comes to another state"
  return undefined
}

/** One after the other, however each of them ends. */
const exits = (disk: Disk["Service"], work: ReadonlyArray<Effect.Effect<string, unknown, Disk>>) =>
  Effect.runPromise(Effect.forEach(work, Effect.exit).pipe(Effect.provideService(Disk, disk), Effect.provide(Logger.layer([]))))

const start = (directory: string) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(StateStore.layer(directory, small)), (built) =>
      Effect.provide(
        StateStore.use((store) => Effect.sync(() => hashOf(store.ledger))),
        built
      )
    )
  )

const reading = (directory: string) => Effect.map(readState(directory), ({ ledger }) => hashOf(ledger))

/** A status file that is not a whole line of some moment: what a reader would see before the next start. */
const tornView = Effect.fnUntraced(function* (directory: string) {
  const disk = yield* Disk
  const folder = `${directory}/skills/status`
  for (const name of (yield* Effect.orDie(disk.list(folder))).filter((name) => name.endsWith(".txt"))) {
    const text = Buffer.from(yield* Effect.orDie(disk.read(`${folder}/${name}`))).toString()
    if (!/^status=\w+,timestamp=[^,\n]+,run=[^\n\0]+\n$/.test(text)) return `${name} is no whole line: ${JSON.stringify(text)}`
  }
  return undefined
})

/** What these files, by path below `/state`, add up to. */
export const ledgerOf = (files: ReadonlyMap<string, Buffer>): Ledger => {
  const memory = Disk.memory()
  for (const [path, bytes] of files) memory.put(path, bytes)
  return Effect.runSync(readState("/state").pipe(Effect.provide(memory.layer))).ledger
}
