/** Where things are: the platform's user state folder, and the state directory that a command means. */
import * as Effect from "effect/Effect"
import { existsSync, statSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import { type ConfigInvalid, shown, StateUnusable } from "../domain/Errors.ts"

/** The config's usual name, looked for in the working directory. */
const configName = "holdfast.config.json"

/** Where this platform keeps what programs remember: `$XDG_STATE_HOME` or `~/.local/state`; on macOS `~/Library/Application Support`. */
export const userStateFolder = (): string => {
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support")
  const given = process.env["XDG_STATE_HOME"] ?? ""
  return isAbsolute(given) ? given : join(homedir(), ".local", "state") // The XDG rule: a relative one counts as not set.
}

export const defaultState = (): string => join(userStateFolder(), "holdfast")

/** Who asks, for the record: the system's name for this user, or the number where it has none. */
export const user = (): string => {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`
  }
}

export interface Asking {
  readonly state: string | undefined
  readonly config: string | undefined
}

/** The config file that is meant: the one given, else the usual one if it is in the working directory. */
export const configFile = (given: string | undefined): string | undefined => given ?? (existsSync(configName) ? configName : undefined)

/** The state directory that is meant: the flag's, else the config's, else the default one. */
export const stateDirectory = Effect.fnUntraced(function* ({ state, config }: Asking): Effect.fn.Return<string, ConfigInvalid> {
  if (state !== undefined) return resolve(state)
  const file = configFile(config)
  if (file === undefined) return defaultState()
  const { loadConfig } = yield* Effect.promise(() => import("./config.ts"))
  return (yield* loadConfig(file)).state ?? defaultState()
})

/** The same for commands that only read. Fails with STATE_MISSING where no runtime has ever been. */
export const existingState = Effect.fnUntraced(function* (asking: Asking): Effect.fn.Return<string, ConfigInvalid | StateUnusable> {
  const directory = yield* stateDirectory(asking)
  if (statSync(directory, { throwIfNoEntry: false }) !== undefined) return directory
  return yield* new StateUnusable({
    code: "STATE_MISSING",
    where: shown(directory),
    got: "no such directory",
    want: "the state directory of a runtime",
    fix: "name it with --state, or start a runtime with holdfast up"
  })
})
