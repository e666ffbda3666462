/**
 * `holdfast.config.json`: what an operator sets for the whole runtime, and overrides for single skills.
 *
 * Relative paths in it start from its folder. No secret stands in it: the gateway's token comes from the environment
 * (`HOLDFAST_GATEWAY_TOKEN`, which wins) or from a file that only its owner can read.
 */
import * as EffectConfig from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { AgentSettings, placed } from "../domain/Agent.ts"
import { parseDuration } from "../domain/durations.ts"
import { ConfigInvalid, shown } from "../domain/Errors.ts"
import { digestDefault, type DigestTerms } from "../domain/Backlog.ts"
import { checkFields, durationField, fieldName, type FieldProblem, textField } from "../domain/fields.ts"
import { readText } from "../domain/FrontMatter.ts"
import { adapterOf, gatewayKinds } from "../domain/adapters/kinds.ts"
import type { GatewayAdapter } from "../domain/GatewayAdapter.ts"
import { type GatewayUrl, gatewayUrl } from "../domain/GatewayUrl.ts"
import { readJson } from "../domain/json.ts"
import { type Intensity, startIntensity } from "../domain/policies/intensity.ts"
import { rampDefault, type RampRate } from "../domain/policies/ramp.ts"
import { nameRule } from "../domain/Run.ts"
import { ApprovalSetting, SkillOverride, SkillSettings } from "../domain/SkillFile.ts"
import { readZone } from "../domain/Zone.ts"
import type { Overrides } from "./Skills.ts"

/** The file's usual name, looked for in the working directory. */
export const configName = "holdfast.config.json"
/** The largest file that is read, in bytes. */
export const configBytesMax = 262_144
/** The variable that holds the gateway's token. */
export const tokenVariable = "HOLDFAST_GATEWAY_TOKEN"
/** The variable that holds the token of the gateway's hooks. */
export const hookTokenVariable = "HOLDFAST_HOOK_TOKEN"

const maybe = Schema.optionalKey
const path = (description: string) =>
  textField((text) => text !== "" && text.length <= 4_096 && !text.includes("\0"), "a path", description)

/** What may stand in the file. */
export const ConfigFile = Schema.Struct({
  $schema: maybe(Schema.String.annotate({ description: "for editors" })),
  state: maybe(path("the state directory; default: holdfast in the user's state folder")),
  status: maybe(path("where status files go; default: skills/status in the state directory")),
  skillsFolders: maybe(Schema.Array(path("a folder of skills, one folder each")).check(Schema.isMaxLength(64))),
  timezone: maybe(Schema.String.annotate({ description: "for cron schedules that name none; default: the machine's" })),
  gateway: maybe(
    Schema.Struct({
      url: Schema.String.annotate({ description: "ws://localhost:PORT, or wss:// to another machine" }),
      kind: maybe(
        Schema.Literals(gatewayKinds).annotate({
          description: "what it speaks: OpenClaw's wire (the default), that of early 2026, or plain JSON events"
        })
      ),
      session: maybe(
        textField((text) => text !== "" && text.length <= 256, "1 to 256 characters", "the key of the session that is told of results")
      ),
      tokenFile: maybe(path("a file that holds the token, mode 0600")),
      hookTokenFile: maybe(path("a file that holds the token of the gateway's hooks, mode 0600"))
    })
  ),
  report: maybe(
    Schema.Struct({
      ...SkillSettings.fields.report.schema.fields,
      digest: maybe(
        Schema.Struct({
          after: maybe(durationField(1_000, 366 * 86_400_000, "the oldest waits for longer than this; default: 30 minutes")),
          above: maybe(
            Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })).annotate({
              description: "more than this wait; default: 10"
            })
          )
        }).annotate({ description: "when the reports that wait for a session become one" })
      )
    }).annotate({ description: "for skills that do not say" })
  ),
  env: maybe(SkillSettings.fields.env.schema.annotate({ description: "names of variables handed on to every skill" })),
  agent: maybe(AgentSettings.annotate({ description: "the command that prompt skills hand their text to" })),
  redact: maybe(
    Schema.Array(
      textField(
        (name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name),
        "a variable's name",
        "a variable whose value is a secret, whatever its name"
      )
    ).check(Schema.isMaxLength(64))
  ),
  approval: maybe(ApprovalSetting),
  drainDeadline: maybe(durationField(0, 3_600_000, "how long running skills may take to finish when the runtime is asked to stop")),
  restarts: maybe(
    Schema.Struct({
      starts: maybe(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })).annotate({ description: "0: they are not counted" })),
      within: maybe(durationField(1_000, 86_400_000, "the time within which they count"))
    }).annotate({ description: "starts in a row, none of which lasted a minute, after which nothing fires for a minute" })
  ),
  concurrency: maybe(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })).annotate({
      description: "processes of skills at a time; default: 64"
    })
  ),
  pools: maybe(
    Schema.Record(
      textField((name) => nameRule.test(name), "a pool's name: 1 to 64 of a-z, 0-9 and inner dashes", "a pool"),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))
    ).annotate({ description: "how many runs of skills of that pool are at work at a time; one where nothing is said" })
  ),
  ramp: maybe(
    Schema.Struct({
      perMinute: maybe(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))),
      burst: maybe(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })))
    }).annotate({ description: "how much late work begins a minute after an outage, and how much at once; by the skills' cost" })
  ),
  skills: maybe(
    Schema.Record(
      textField((name) => nameRule.test(name), "a skill's name: 1 to 64 of a-z, 0-9 and inner dashes", "a skill"),
      SkillOverride
    ).annotate({ description: "by skill: settings that stand above those of its SKILL.md" })
  )
})
export type ConfigFile = typeof ConfigFile.Type

/** The config as the runtime uses it: paths absolute, durations in milliseconds. */
export interface RuntimeConfig {
  /** The file it came from; nothing when there is none. */
  readonly file: string | undefined
  readonly state: string | undefined
  readonly status: string | undefined
  readonly skillsFolders: ReadonlyArray<string>
  readonly zone: string | undefined
  readonly gateway:
    | { readonly url: GatewayUrl; readonly session: string | undefined; readonly adapter: GatewayAdapter | undefined }
    | undefined
  /** Also without `gateway`: its address may come from the command line. */
  readonly token: Redacted.Redacted<string> | undefined
  /** Of the gateway's hooks. */
  readonly hookToken: Redacted.Redacted<string> | undefined
  readonly report: SkillSettings["report"]
  readonly digest: DigestTerms | undefined
  readonly env: ReadonlyArray<string>
  readonly agent: AgentSettings | undefined
  readonly redact: ReadonlyArray<string>
  readonly approval: "required" | undefined
  readonly drainDeadlineMs: number | undefined
  readonly starts: Intensity | undefined
  readonly concurrency: number | undefined
  readonly pools: Readonly<Record<string, number>> | undefined
  readonly ramp: RampRate | undefined
  readonly overrides: Overrides
}

export class Config extends Context.Service<
  Config,
  {
    /** Reads the file, or, with no file named, what the environment alone says. Fails with the first problem; `readConfig` gives all. */
    readonly load: (file: string | undefined) => Effect.Effect<RuntimeConfig, ConfigInvalid>
  }
>()("holdfast/layers/Config") {
  static readonly layer: Layer.Layer<Config, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
    Config,
    Effect.gen(function* () {
      const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
      return Config.of({ load: (file) => Effect.provideContext(load(file), services) })
    })
  )
}

/** Reads a file's bytes: the config, or everything that is wrong with it. `file` names it in the messages. */
export const readConfig = (bytes: Uint8Array, file: string): Result.Result<ConfigFile, ReadonlyArray<ConfigInvalid>> => {
  const text = readText(bytes)
  if (Result.isFailure(text)) {
    const { code, got, want, fix } = text.failure
    return Result.fail([new ConfigInvalid({ code, where: file, got, want, fix })])
  }
  const json = readJson(text.success)
  if (Result.isFailure(json)) {
    const { kind, line, column, got, want } = json.failure
    const [code, fix] = syntaxCodes[kind]
    return Result.fail([new ConfigInvalid({ code, where: `${file}:${line}:${column}`, got, want, fix })])
  }
  const root = json.success
  if (typeof root !== "object" || root === null || Array.isArray(root)) {
    return Result.fail([
      new ConfigInvalid({
        code: "CONFIG_SYNTAX",
        where: `${file}:1:1`,
        got: root === null ? "null" : Array.isArray(root) ? "a list" : `a ${typeof root}`,
        want: "an object",
        fix: "begin with { and end with }"
      })
    ])
  }
  return Result.mapError(checkFields(ConfigFile, root), (problems) => problems.map((problem) => ofField(problem, file)))
}

/** The JSON Schema (draft 2020-12) of the file, for editors; kept as `docs/config.schema.json`. */
export const configJsonSchema = (): Readonly<Record<string, unknown>> => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(ConfigFile, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: configName,
    ...schema,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

const load = Effect.fn("Config.load")(function* (
  given: string | undefined
): Effect.fn.Return<RuntimeConfig, ConfigInvalid, FileSystem.FileSystem | Path.Path> {
  const paths = yield* Path.Path
  const file = given === undefined ? undefined : paths.resolve(given)
  const config: ConfigFile = file === undefined ? {} : yield* readFile(file)
  const place = (key: string) => `${file ?? "config"} ${key}`
  const absolute = (path: string) => paths.resolve(file === undefined ? "." : paths.dirname(file), path)
  const optional = (path: string | undefined) => (path === undefined ? undefined : absolute(path))

  const zone =
    config.timezone === undefined
      ? undefined
      : yield* Effect.mapError(Effect.fromResult(readZone(config.timezone, place("timezone"))), ({ code, where, got, want, fix }) =>
          refused(code, where, got, want, fix)
        )
  const gateway =
    config.gateway === undefined
      ? undefined
      : {
          url: yield* Effect.fromResult(gatewayUrl(config.gateway.url, place("gateway.url"))),
          session: config.gateway.session,
          adapter: adapterOf(config.gateway.kind ?? "openclaw")
        }
  const { digest, ...report } = config.report ?? {}
  const secret = Effect.fnUntraced(function* (variable: string, key: "tokenFile" | "hookTokenFile") {
    const file = optional(config.gateway?.[key])
    return (yield* tokenOfEnvironment(variable)) ?? (file === undefined ? undefined : yield* tokenOf(file, place(`gateway.${key}`)))
  })
  return {
    file,
    state: optional(config.state),
    status: optional(config.status),
    skillsFolders: (config.skillsFolders ?? []).map(absolute),
    zone,
    gateway,
    token: yield* secret(tokenVariable, "tokenFile"),
    hookToken: yield* secret(hookTokenVariable, "hookTokenFile"),
    report: config.report && report,
    digest: digest && {
      afterMs: digest.after === undefined ? digestDefault.afterMs : parseDuration(digest.after)!,
      above: digest.above ?? digestDefault.above
    },
    env: config.env ?? [],
    agent: config.agent && placed(config.agent, absolute),
    redact: config.redact ?? [],
    approval: config.approval,
    drainDeadlineMs: config.drainDeadline === undefined ? undefined : parseDuration(config.drainDeadline),
    starts: config.restarts && {
      failuresMax: config.restarts.starts ?? startIntensity.failuresMax,
      windowMs: config.restarts.within === undefined ? startIntensity.windowMs : parseDuration(config.restarts.within)!
    },
    concurrency: config.concurrency,
    pools: config.pools,
    ramp: config.ramp && { ...rampDefault, ...config.ramp },
    overrides: config.skills ?? {}
  }
})

const readFile = Effect.fnUntraced(function* (file: string): Effect.fn.Return<ConfigFile, ConfigInvalid, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.mapError(fs.stat(file), (error) =>
    error.reason._tag === "NotFound"
      ? refused("CONFIG_MISSING", file, "no file", "a config file", `run holdfast init, or name another with --config`)
      : refused("CONFIG_UNREADABLE", file, error.reason._tag, "a file that can be read", "correct its permissions")
  )
  if (info.type !== "File") return yield* refused("CONFIG_UNREADABLE", file, info.type, "a file", "name the file itself")
  if ((info.mode & 0o002) !== 0) {
    return yield* refused("CONFIG_PERMISSIONS", file, octal(info.mode), "not writable by everybody", `chmod o-w ${file}`)
  }
  if (Number(info.size) > configBytesMax)
    return yield* refused("CONFIG_TOO_LARGE", file, `${info.size} bytes`, `at most ${configBytesMax}`, "make it smaller")
  const bytes = yield* Effect.mapError(fs.readFile(file), (error) =>
    refused("CONFIG_UNREADABLE", file, error.reason._tag, "a file that can be read", "correct its permissions")
  )
  return yield* Effect.mapError(Effect.fromResult(readConfig(bytes, file)), (problems) => problems[0]!)
})

const tokenOfEnvironment = Effect.fnUntraced(function* (variable: string) {
  const token = Option.getOrUndefined(
    yield* Effect.orElseSucceed(EffectConfig.option(EffectConfig.Redacted(variable)), () => Option.none())
  )
  if (token === undefined || Redacted.value(token).trim() !== "") return token
  return yield* refused("SECRET_MISSING", variable, "an empty variable", "the gateway's token", `set ${variable}, or unset it`)
})

/** The token in a file: one line, readable by its owner alone. Neither the value nor its length is ever shown. */
const tokenOf = Effect.fnUntraced(function* (
  file: string,
  where: string
): Effect.fn.Return<Redacted.Redacted<string>, ConfigInvalid, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const missing = (got: string) =>
    refused("SECRET_MISSING", where, `${shown(file)}: ${got}`, "a file with the token in one line", "write the token into it, mode 0600")
  const info = yield* Effect.mapError(fs.stat(file), (error) => missing(error.reason._tag))
  if (info.type !== "File") return yield* missing(info.type)
  if ((info.mode & 0o077) !== 0)
    return yield* refused("CONFIG_PERMISSIONS", where, `${shown(file)}, ${octal(info.mode)}`, "mode 0600", `chmod 600 ${file}`)
  if (Number(info.size) > 4_096) return yield* missing("more than 4096 bytes")
  const text = (yield* Effect.mapError(fs.readFileString(file), (error) => missing(error.reason._tag))).trim()
  if (text === "") return yield* missing("empty")
  if (!/^[\x21-\x7e]+$/.test(text)) return yield* missing("more than one line, or not plain characters")
  return Redacted.make(text)
})

const syntaxCodes = {
  syntax: ["CONFIG_SYNTAX", "correct the JSON: double quotes, no comments, no trailing commas"],
  duplicate: ["CONFIG_DUPLICATE", "keep one of them"],
  forbidden: ["CONFIG_KEY_FORBIDDEN", "remove it"]
} as const

const ofField = ({ code, path, got, want, fix }: FieldProblem, file: string): ConfigInvalid =>
  refused(
    code === "UNKNOWN_KEY" ? "CONFIG_UNKNOWN_KEY" : code,
    `${file} ${fieldName(path)}`,
    got,
    want,
    code === "UNKNOWN_KEY" && /token|secret|password/i.test(String(path.at(-1)))
      ? `put the token into ${tokenVariable}, or into a 0600 file named by gateway.tokenFile`
      : fix
  )

const refused = (code: string, where: string, got: string, want: string, fix: string) => new ConfigInvalid({ code, where, got, want, fix })

const octal = (mode: number): string => `mode ${(mode & 0o777).toString(8).padStart(4, "0")}`
