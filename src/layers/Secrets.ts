/** The secrets that this process knows, so that nothing writes them down: the journal, the views, what skills print, and the log ask here. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { looksSecret, noRedaction, type Redaction, redactionOf } from "../domain/Redaction.ts"

/** What takes them out. Each layer that writes asks for it when it is built. */
export const Secrets = Context.Reference<Redaction>("holdfast/layers/Secrets", { defaultValue: () => noRedaction })

/** Where secrets come from. */
export interface SecretsKnown {
  /** Our own environment. */
  readonly ours: Readonly<Record<string, string | undefined>>
  /** Names of variables that are handed to skills. Those that look like a secret are one. */
  readonly handed: Iterable<string>
  /** Names of variables that are secrets, whatever they look like. */
  readonly redact: Iterable<string>
  /** The gateway's, as far as there are any. */
  readonly tokens: ReadonlyArray<Redacted.Redacted | undefined>
}

export const secretsOf = ({ ours, handed, redact, tokens }: SecretsKnown): Redaction => {
  const valued = (names: Iterable<string>) => [...new Set(names)].map((name) => ({ name, value: ours[name] ?? "" }))
  return redactionOf([
    ...tokens.flatMap((token) => (token === undefined ? [] : [{ name: "gateway token", value: Redacted.value(token) }])),
    ...valued(redact),
    ...valued(handed).filter(looksSecret)
  ])
}

/** The loggers that are there, told nothing of them. */
export const layerLoggers: Layer.Layer<never> = Layer.effect(
  Logger.CurrentLoggers,
  Effect.gen(function* () {
    const secrets = yield* Secrets
    const loggers = yield* Logger.CurrentLoggers
    return secrets.active ? new Set([...loggers].map((logger) => without(secrets, logger))) : loggers
  })
)

const without = (secrets: Redaction, logger: Logger.Logger<unknown, unknown>): Logger.Logger<unknown, unknown> =>
  Logger.make((options) => {
    const words = Cause.pretty(options.cause)
    const cause = secrets.text(words) === words ? options.cause : Cause.die(secrets.text(words))
    return logger.log({ ...options, message: secrets.value(options.message), cause })
  })
