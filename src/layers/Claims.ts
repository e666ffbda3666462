/**
 * The right to run: nothing runs without a claim, and each claim carries a fence that is larger than every earlier one.
 *
 * One runtime grants itself every claim, since the lock makes it the only one. A fleet would ask somebody here instead;
 * whoever answers, the claim is journaled before anything starts.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EventOf } from "../domain/JournalEvent.ts"
import type { RunId } from "../domain/Run.ts"
import type { Wish } from "../domain/Wish.ts"
import type { NewEvent } from "./StateStore.ts"
import { StateStore } from "./StateStore.ts"

/** What is to be claimed. */
export interface Claim {
  readonly run: RunId
  readonly skill: string
  readonly slotAtMs: number
  readonly digest: string
  /** Missed slots that the run makes good, itself not counted. */
  readonly missed: number
  /** Who asked for a run of a slot that was settled without one, and why. */
  readonly asked?: Wish
}

export class Claims extends Context.Service<
  Claims,
  {
    /** The claim with its fence, to be appended together with what else is decided of the same slots. */
    readonly claim: (claim: Claim) => Effect.Effect<NewEvent & Pick<EventOf<"run.claimed">, "type" | "run" | "fence">>
  }
>()("holdfast/layers/Claims") {
  static readonly layer = Layer.effect(
    Claims,
    Effect.gen(function* () {
      const store = yield* StateStore
      let fence = store.ledger.fence
      return Claims.of({
        claim: ({ run, skill, slotAtMs, digest, missed, asked }) =>
          Effect.sync(() => ({
            type: "run.claimed" as const,
            run,
            skill,
            slot: slotAtMs,
            digest,
            missed,
            fence: ++fence,
            ...(asked === undefined ? {} : { by: asked.by }),
            ...(asked === undefined || asked.why === "" ? {} : { why: asked.why })
          }))
      })
    })
  )
}
