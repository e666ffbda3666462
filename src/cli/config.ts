/** Reads the config for commands that need more of it than where the state is. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ConfigInvalid } from "../domain/Errors.ts"
import { Config, type RuntimeConfig } from "../layers/Config.ts"

/** The config in this file, or with no file what the environment alone says. */
export const loadConfig = (file: string | undefined): Effect.Effect<RuntimeConfig, ConfigInvalid> =>
  Effect.provide(
    Config.use((config) => config.load(file)),
    configLayer
  )

const configLayer = Config.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))
