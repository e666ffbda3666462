/**
 * Holdfast for Effect: the runtime as a layer, skills as Effects.
 *
 * @example
 * const beat = Skill.make({ name: "beat", schedule: { every: "1 minute" }, run: (ctx) => Effect.as(Effect.log(ctx.run), { beats: 1 }) })
 * const live = Holdfast.layer({ state: "/var/lib/agent/holdfast", skills: [beat] })
 */
import type * as Effect from "effect/Effect"
import type { SkillResult } from "./domain/SkillContext.ts"
import { layer, type SkillGiven } from "./layers/Holdfast.ts"
import { type EffectSkillContext, effectWork } from "./layers/SkillFunction.ts"

export type { HoldfastError, HoldfastOptions, Services, SkillGiven } from "./layers/Holdfast.ts"
export { type EffectSkillContext, StepFailed } from "./layers/SkillFunction.ts"
export { LinkFailed, type LinkReason } from "./domain/LinkFailed.ts"
export type { SkillLink } from "./layers/SkillLink.ts"
export { Runtime } from "./layers/Runtime.ts"
export { Supervisor } from "./layers/Supervisor.ts"
export { StateStore } from "./layers/StateStore.ts"
export { Session } from "./layers/Session.ts"
export { Disk } from "./layers/Disk.ts"
export { fromEffect, fromListener, fromStream, plug, runMachine } from "./layers/actor.ts"
export * as Errors from "./domain/Errors.ts"

/** The whole runtime as one layer. Closing its scope stops every skill and waits until their processes are gone. */
export const Holdfast = { layer }

/** Skills as Effects. They run in this process, and are interrupted when their attempt is stopped or takes too long. */
export const Skill = {
  /** Settings as in SKILL.md; `run` needs nothing: provide its services before, for instance by `Effect.provideContext`. */
  make: ({
    name,
    description = "",
    run,
    ...settings
  }: SkillGiven["settings"] & {
    readonly name: string
    readonly description?: string
    readonly run: (ctx: EffectSkillContext) => Effect.Effect<SkillResult, unknown>
  }): SkillGiven => ({ name, description, settings, work: effectWork(run) })
}
