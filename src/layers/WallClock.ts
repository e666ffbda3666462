/** The clock of the machine, which may be unset, or set while we look: what a start does about it, and what is said of a jump. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { iso } from "../domain/Run.ts"
import type { NewEvent } from "./StateStore.ts"

/** What a clock that is kept right may be set by at a time, in milliseconds. */
export const driftMs = 2_000

/** No clock that is right shows an earlier time: this software is younger. */
export const youngestMs = Date.UTC(2026, 0, 1)

/** Returns once the clock is set. Before that no instant of ours would be true, so a start does nothing until then. */
export const clockIsSet: Effect.Effect<void> = Effect.gen(function* () {
  const nowMs = yield* Clock.currentTimeMillis
  if (nowMs >= youngestMs) return
  yield* Effect.logWarning("The clock of this machine is not set: nothing is done until it is", {
    code: "CLOCK_UNSET",
    where,
    got: iso(nowMs),
    want: `${iso(youngestMs)} or later`,
    fix: "set the clock"
  })
  while ((yield* Clock.currentTimeMillis) < youngestMs) yield* Effect.sleep("1 second")
})

/**
 * A clock that was set back past what is on record, as after a flat battery: no slot that is settled fires again, the others
 * wait until they are due. That is said here, since a clock that lies stays silent otherwise.
 */
export const behind = Effect.fnUntraced(function* (lastAtMs: number, nowMs: number): Effect.fn.Return<ReadonlyArray<NewEvent>> {
  if (nowMs >= lastAtMs - driftMs) return []
  yield* Effect.logWarning("The clock is behind what is on record: slots wait until it has caught up", {
    code: "CLOCK_BEHIND_STATE",
    where: where,
    got: iso(nowMs),
    want: `${iso(lastAtMs)} or later`,
    fix: "set the clock"
  })
  return [{ type: "clock.jumped", byMs: nowMs - lastAtMs }]
})
/** A clock that was set while the runtime was at work, or a machine that slept: said, and on record. */
export const jumped = (byMs: number): Effect.Effect<NewEvent> =>
  Effect.as(
    Effect.logWarning(
      byMs > 0 ? "The clock jumped forward, or the machine slept" : "The clock jumped back: slots wait until it has caught up",
      {
        code: "CLOCK_JUMPED",
        where,
        got: `a jump by ${byMs} ms`,
        want: "a clock that goes on evenly",
        fix: "nothing, if it was set on purpose: slots that were missed are settled by catchUp, and none that is settled fires again"
      }
    ),
    { type: "clock.jumped", byMs }
  )

const where = "the clock of this machine"
