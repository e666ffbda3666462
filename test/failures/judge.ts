/** Whether what a crash left is what it has to be: some prefix of what was appended, with all that was acknowledged in it. */
import { Effect, Exit, Layer, Logger } from "effect"
import { hashOf } from "../../src/domain/canonical.ts"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { Ledger } from "../../src/domain/Ledger.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, StateStore } from "../../src/layers/StateStore.ts"
import { small } from "./scenarios.ts"

/** What is known from outside of what a crash left. Of each start: how many appends it had been asked for, how many it had acknowledged. */
export interface Known {
  readonly acknowledged: Cut
  readonly submitted: Cut
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

/** What is wrong with it; nothing where it is as it has to be. Starts twice on it. */
export const verdict = async (
  disk: Disk["Service"],
  directory: string,
  { acknowledged, submitted, states }: Known
): Promise<string | undefined> => {
  const hash = Effect.scoped(
    Effect.flatMap(Layer.build(StateStore.layer(directory, small)), (built) =>
      Effect.provide(
        StateStore.use((store) => Effect.sync(() => hashOf(store.ledger))),
        built
      )
    )
  )
  const [torn, first, second, read] = await Effect.runPromise(
    Effect.all([
      tornView(directory),
      Effect.exit(hash),
      Effect.exit(hash),
      Effect.exit(Effect.map(readState(directory), ({ ledger }) => hashOf(ledger)))
    ]).pipe(Effect.provideService(Disk, disk), Effect.provide(Logger.layer([])))
  )
  if (torn !== undefined) return torn
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
