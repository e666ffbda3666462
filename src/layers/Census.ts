/**
 * Who is alive, for many who ask at once. A look at all processes takes some milliseconds, during which nothing else happens here, and
 * every run asks at its end: a hundred that end together must not delay the next slot.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { monotonicMs } from "./clock.ts"
import { census, type Member } from "./platform.ts"

/** Every answer is of a look that began after it was asked for. */
export type Census = Effect.Effect<ReadonlyArray<Member>>

/** A census that shares its looks among those who wait for one, and rests after each for four times as long as it took. */
export const makeCensus = Effect.fnUntraced(function* (look: Census = census): Effect.fn.Return<Census> {
  const one = yield* Semaphore.make(1)
  let asked = 0
  let seen: { readonly asked: number; readonly members: ReadonlyArray<Member> } = { asked: 0, members: [] }
  let restedAtMs = 0

  const answer = Effect.fnUntraced(function* (mine: number) {
    if (seen.asked >= mine) return seen.members
    yield* Effect.sleep(Math.max(0, restedAtMs - (yield* monotonicMs)))
    const answered = asked // With those who came while it rested.
    const beganAtMs = yield* monotonicMs
    seen = { asked: answered, members: yield* look }
    const endedAtMs = yield* monotonicMs
    restedAtMs = endedAtMs + 4 * (endedAtMs - beganAtMs)
    return seen.members
  })
  return Effect.suspend(() => one.withPermits(1)(answer(++asked)))
})
