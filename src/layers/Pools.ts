/**
 * Places for attempts: how many may be under way at a time, of all that are processes and of those that share a named pool.
 *
 * Who waits is served in turns: the skill first that has had no place for the longest time, and of its runs the one that asked
 * first. So a skill with many runs does not keep the others waiting.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RunId } from "../domain/Run.ts"

/** The pool of every attempt that is a process; no skill can name it so. */
export const processes = "(processes)"
/** How many processes run at a time unless the config says otherwise: many, so that skills that hang do not hold up the others. */
export const processesDefault = 64

export interface PoolSizes {
  /** Processes at a time: 1 or more. */
  readonly processes?: number | undefined
  /** By name: 1 or more. A pool that is not named here has one place. */
  readonly pools?: Readonly<Record<string, number>> | undefined
}

export class Pools extends Context.Service<
  Pools,
  {
    /** Returns once the run has a place in each of these pools, taken in this order. Interrupted, it has none. */
    readonly enter: (run: RunId, skill: string, pools: ReadonlyArray<string>) => Effect.Effect<void>
    /** The run has a place in each of these pools already, be they full: it was at work before this runtime was. */
    readonly keep: (run: RunId, pools: ReadonlyArray<string>) => void
    /** Gives back the places of a run; one that has none may say so as well. */
    readonly leave: (run: RunId) => void
  }
>()("holdfast/layers/Pools") {
  static readonly layer = (sizes: PoolSizes = {}): Layer.Layer<Pools> =>
    Layer.sync(Pools, () => {
      const pools = new Map([[processes, new Pool(sizes.processes ?? processesDefault)]])
      const named = (name: string): Pool => {
        const known = pools.get(name) ?? new Pool(sizes.pools?.[name] ?? 1)
        pools.set(name, known)
        return known
      }
      const held = new Map<RunId, ReadonlyArray<Pool>>()
      const leave = (run: RunId): void => {
        for (const pool of held.get(run) ?? []) pool.free()
        held.delete(run)
      }
      return Pools.of({
        leave,
        keep: (run, names) => {
          const pools = names.map(named)
          for (const pool of pools) pool.keep()
          held.set(run, pools)
        },
        enter: (run, skill, names) =>
          Effect.forEach(
            names.map(named),
            (pool) => Effect.map(pool.take(skill), () => void held.set(run, [...(held.get(run) ?? []), pool])),
            { discard: true }
          ).pipe(Effect.onInterrupt(() => Effect.sync(() => leave(run))))
      })
    })
}

class Pool {
  #free: number
  /** By skill: its runs, in the order in which they asked. */
  readonly #waiting = new Map<string, Array<() => void>>()
  /** By skill: the number of its latest turn. */
  readonly #turns = new Map<string, number>()
  #turn = 0

  constructor(size: number) {
    this.#free = size
  }

  take(skill: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.#free > 0) {
        this.#free -= 1
        this.#turns.set(skill, ++this.#turn)
        return resume(Effect.void)
      }
      const served = () => resume(Effect.void)
      const queue = this.#waiting.get(skill) ?? []
      this.#waiting.set(skill, [...queue, served])
      return Effect.sync(() => this.#drop(skill, served))
    })
  }

  keep(): void {
    this.#free -= 1
  }

  free(): void {
    if (this.#free < 0) {
      this.#free += 1
      return
    }
    const turnOf = (skill: string) => this.#turns.get(skill) ?? 0
    const skill = [...this.#waiting.keys()].reduce<string | undefined>(
      (first, one) => (first === undefined || turnOf(one) < turnOf(first) ? one : first),
      undefined
    )
    if (skill === undefined) {
      this.#free += 1
      return
    }
    const [served, ...others] = this.#waiting.get(skill)!
    this.#turns.set(skill, ++this.#turn)
    if (others.length > 0) this.#waiting.set(skill, others)
    else this.#waiting.delete(skill)
    served!()
  }

  #drop(skill: string, served: () => void): void {
    const queue = this.#waiting.get(skill) ?? []
    if (!queue.includes(served)) return this.free() // It was served at the very moment at which it stopped waiting.
    const others = queue.filter((one) => one !== served)
    if (others.length > 0) this.#waiting.set(skill, others)
    else this.#waiting.delete(skill)
  }
}
