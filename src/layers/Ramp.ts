/** Turns for late work, in the order in which skills ask: each keeps the one it got until it has taken it. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { nextTurn, rampDefault, type RampRate } from "../domain/policies/ramp.ts"

export class Ramp extends Context.Service<
  Ramp,
  {
    /** The instant from which late work of this skill may begin; asked at that instant or later, the turn is taken. */
    readonly turn: (skill: string, cost: number, nowMs: number) => number
  }
>()("holdfast/layers/Ramp") {
  static readonly layer = (rate: RampRate = rampDefault): Layer.Layer<Ramp> =>
    Layer.sync(Ramp, () => {
      const turns = new Map<string, number>()
      let usedUntilMs = 0
      return Ramp.of({
        turn: (skill, cost, nowMs) => {
          let atMs = turns.get(skill)
          if (atMs === undefined) {
            const turn = nextTurn(usedUntilMs, nowMs, cost, rate)
            usedUntilMs = turn.usedUntilMs
            atMs = turn.atMs
          }
          if (atMs <= nowMs) turns.delete(skill)
          else turns.set(skill, atMs)
          return atMs
        }
      })
    })
}
