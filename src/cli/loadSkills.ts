/** The skills as a runtime with this config would load them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RuntimeConfig } from "../layers/Config.ts"
import { type LoadedSkills, Skills } from "../layers/Skills.ts"

export const loadSkills = (config: RuntimeConfig, folders: ReadonlyArray<string>): Effect.Effect<LoadedSkills> =>
  Skills.use((skills) =>
    skills.load(folders, config.overrides, {
      zone: config.zone,
      report: config.report,
      env: config.env,
      agent: config.agent,
      approval: config.approval,
      gateway: config.file === undefined || config.gateway !== undefined // Without a config nothing says that there is none.
    })
  ).pipe(Effect.provide(Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))))
