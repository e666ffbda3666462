/**
 * When skills wake: one due-heap and one fiber for all of them, however many there are.
 *
 * It sleeps until the earliest instant, in hops, and looks at the clocks after each: a machine that slept, or a clock that
 * was set, is noticed at the next hop, and is told. Nothing fires early.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { hopMs } from "./clock.ts"
import { driftMs } from "./WallClock.ts"

export interface Due {
  readonly skill: string
  readonly dueAtMs: number
}

export class Scheduler extends Context.Service<
  Scheduler,
  {
    /** Calls `fire` once at `dueAtMs`, or at once if that is past. Replaces what was armed for this skill. */
    readonly arm: (due: Due, fire: () => void) => void
    readonly disarm: (skill: string) => void
    /** What is armed, earliest first. */
    readonly upcoming: (limit: number) => ReadonlyArray<Due>
    /** By how many milliseconds the wall clock has jumped, each time that it does. For one listener. */
    readonly jumps: Stream.Stream<number>
  }
>()("holdfast/layers/Scheduler") {
  /** `lookEveryMs` bounds how late a jump of the clock is noticed. In virtual time, which does not jump, an hour will do. */
  static readonly layer = (lookEveryMs: number = hopMs): Layer.Layer<Scheduler> => Layer.effect(Scheduler, make(lookEveryMs))
}

/** Often enough that a slot that a jump or a sleep has made due is not late by it, and seldom enough that it costs nothing. */
export const lookEveryMs = 5_000

const make = Effect.fnUntraced(function* (lookEveryMs: number) {
  const heap = new DueHeap()
  const earlier = yield* Latch.make()
  const jumps = yield* Queue.sliding<number>(100)
  let looked = yield* clocks

  const look = Effect.gen(function* () {
    const now = yield* clocks
    const byMs = Math.round(now.wallMs - looked.wallMs - (now.steadyMs - looked.steadyMs))
    looked = now
    if (Math.abs(byMs) > driftMs) Queue.offerUnsafe(jumps, byMs)
    return now.wallMs
  })

  const loop = Effect.gen(function* () {
    yield* earlier.close
    const head = heap.peek()
    const nowMs = yield* look
    const dueInMs = (head?.dueAtMs ?? Infinity) - nowMs
    if (dueInMs > 0) return yield* Effect.raceFirst(Effect.sleep(Math.min(dueInMs, lookEveryMs)), earlier.await)
    for (let next = heap.peek(); next !== undefined && next.dueAtMs <= nowMs; next = heap.peek()) {
      heap.pop()
      next.fire()
    }
  })
  yield* Effect.forkScoped(Effect.forever(loop))

  return Scheduler.of({
    arm: (due, fire) => {
      heap.push({ ...due, fire })
      if (heap.peek()?.skill === due.skill) earlier.openUnsafe()
    },
    disarm: (skill) => heap.remove(skill),
    upcoming: (limit) =>
      heap
        .sorted()
        .slice(0, limit)
        .map(({ skill, dueAtMs }) => ({ skill, dueAtMs })),
    jumps: Stream.fromQueue(jumps)
  })
})

const clocks = Effect.gen(function* () {
  return { wallMs: yield* Clock.currentTimeMillis, steadyMs: Number(yield* Clock.monotonicTimeNanos) / 1e6 }
})

interface Armed extends Due {
  readonly fire: () => void
}

/** A binary heap by instant; one entry a skill. A replaced entry stays until it comes up and is then passed over. */
class DueHeap {
  #heap: Array<Armed> = []
  readonly #current = new Map<string, Armed>()

  push(armed: Armed): void {
    this.#current.set(armed.skill, armed)
    this.#heap.push(armed)
    for (let i = this.#heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1
      if (this.#heap[parent]!.dueAtMs <= this.#heap[i]!.dueAtMs) break
      this.#swap(i, parent)
      i = parent
    }
  }

  peek(): Armed | undefined {
    while (this.#heap.length > 0 && this.#current.get(this.#heap[0]!.skill) !== this.#heap[0]) this.#removeTop()
    return this.#heap[0]
  }

  pop(): void {
    const top = this.peek()
    if (top === undefined) return
    this.#current.delete(top.skill)
    this.#removeTop()
  }

  remove(skill: string): void {
    this.#current.delete(skill)
  }

  sorted(): Array<Armed> {
    return [...this.#current.values()].sort((a, b) => a.dueAtMs - b.dueAtMs)
  }

  #removeTop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    for (let i = 0; ;) {
      const left = 2 * i + 1
      if (left >= this.#heap.length) return
      const right = left + 1
      const least = right < this.#heap.length && this.#heap[right]!.dueAtMs < this.#heap[left]!.dueAtMs ? right : left
      if (this.#heap[i]!.dueAtMs <= this.#heap[least]!.dueAtMs) return
      this.#swap(i, least)
      i = least
    }
  }

  #swap(a: number, b: number): void {
    const moved = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = moved
  }
}
