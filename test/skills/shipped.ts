/** Runs a shipped skill as the runtime does, in a real host. */
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import type { AttemptFacts, ProcessIdentity } from "../../src/domain/Attempt.ts"
import { Process } from "../../src/layers/Process.ts"
import { performModule } from "../../src/layers/SkillHost.ts"
import { definition, facts, folder } from "../layers/children.ts"
import { remembered } from "../layers/remembered.ts"

export const shipped = (
  name: string,
  {
    env,
    directory = folder(),
    steps = remembered(),
    onSpawned = () => Effect.void,
    ...more
  }: {
    readonly env: Readonly<Record<string, string>>
    readonly directory?: string
    readonly steps?: ReturnType<typeof remembered>
    readonly onSpawned?: (identity: ProcessIdentity) => Effect.Effect<void>
  } & Partial<AttemptFacts>
) =>
  Effect.suspend(() => {
    Object.assign(process.env, env)
    const skill = fileURLToPath(new URL(`../../skills/${name}`, import.meta.url))
    return performModule(
      definition({ _tag: "Module", file: `${skill}/skill.ts`, folder: skill }, { env: Object.keys(env) }),
      facts(directory, more),
      steps.attempt(),
      onSpawned
    )
  }).pipe(
    Effect.provide(Process.layer),
    Effect.ensuring(
      Effect.sync(() => {
        for (const name of Object.keys(env)) delete process.env[name]
      })
    )
  )
