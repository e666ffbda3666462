/**
 * A drill as a file: what happens to the embedded gateway, and when.
 *
 * ```json
 * [
 *   { "at": "5 seconds", "do": "refuseSessions", "for": "10 seconds" },
 *   { "at": "30 seconds", "do": "loseReplies", "count": 2 },
 *   { "at": "1 minute", "do": "drain", "for": "5 seconds" }
 * ]
 * ```
 * A length of time is text such as `"5 seconds"`, or a number of milliseconds.
 */
import * as fs from "node:fs/promises"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ConfigInvalid, type ListenFailed, nearest, shown, type StateUnusable } from "../domain/Errors.ts"
import type { Control } from "./Control.ts"
import type { EmbeddedGateway } from "./EmbeddedGateway.ts"

type Change = Effect.Effect<void, ListenFailed | StateUnusable>

/** One thing that happens. Times in milliseconds, `atMs` from the start of the play. */
export interface Step {
  readonly atMs: number
  readonly verb: string
  readonly begin: (control: Control) => Change
  /** What ends it, and how long after its beginning. */
  readonly end: { readonly afterMs: number; readonly undo: (control: Control) => Change } | undefined
}
export type Script = ReadonlyArray<Step>

/**
 * Plays a script from its start; returns when all of it is over, and what it did not undo lasts. Steps overlap where their
 * times do. Fails when the gateway cannot come back: its port was taken, or its folder is gone.
 */
export const play = (gateway: EmbeddedGateway, script: Script): Change =>
  Effect.forEach(
    script,
    ({ atMs, verb, begin, end }) =>
      Effect.gen(function* () {
        yield* Effect.sleep(atMs)
        yield* Effect.logInfo(`gateway: ${verb}`)
        yield* begin(gateway.control)
        if (end === undefined) return
        yield* Effect.sleep(end.afterMs)
        yield* Effect.logInfo(`gateway: ${verb} is over`)
        yield* end.undo(gateway.control)
      }),
    { concurrency: "unbounded", discard: true }
  )

/** Reads a script file. Fails with `SCRIPT_MISSING`, or as `readScript` does. */
export const loadScript = Effect.fn("Script.load")(function* (file: string): Effect.fn.Return<Script, ConfigInvalid> {
  const text = yield* Effect.tryPromise({
    try: () => fs.readFile(file, "utf8"),
    catch: (cause) => invalid("SCRIPT_MISSING", file, (cause as NodeJS.ErrnoException).code, "a file that can be read", "Check the path.")
  })
  return yield* Effect.fromResult(readScript(text, file))
})

/**
 * Reads a script; `where` names it in errors. Fails with `SCRIPT_SYNTAX` (not JSON), `SCRIPT_SHAPE` (not a list of steps),
 * `SCRIPT_VERB` (an unknown `do`) or `SCRIPT_STEP` (a field that is missing, wrong, or unknown to its verb).
 */
export const readScript = (text: string, where: string): Result.Result<Script, ConfigInvalid> =>
  Result.gen(function* () {
    const json = yield* Result.mapError(decodeJson(text), () =>
      invalid("SCRIPT_SYNTAX", where, text, "JSON", "Check commas and quotes; comments are not allowed.")
    )
    const entries = yield* Result.mapError(decodeEntries(json), () =>
      invalid("SCRIPT_SHAPE", where, json, "a list of steps, each with `at` and `do`", `Write steps like ${example}.`)
    )
    const steps: Array<Step> = []
    for (const [index, entry] of entries.entries()) steps.push(yield* readStep(entry, `${where}[${index}]`))
    return steps
  })

const decodeJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const Entry = Schema.StructWithRest(Schema.Struct({ do: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)])
const decodeEntries = Schema.decodeUnknownResult(Schema.Array(Entry))
const example = '{ "at": "5 seconds", "do": "hang", "for": "10 seconds" }'

const readStep = ({ do: verb, ...fields }: typeof Entry.Type, where: string): Result.Result<Step, ConfigInvalid> => {
  const read = verbs.get(verb)
  if (read !== undefined) {
    return Result.mapBoth(read(fields), {
      onSuccess: (step) => ({ verb, ...step }),
      onFailure: (issue) =>
        invalid("SCRIPT_STEP", where, fields, issue.message.replaceAll(/\s*\n\s*/g, " "), `Correct this field of "${verb}".`)
    })
  }
  const near = nearest(verb, verbs.keys())
  const fix = near === undefined ? "Use one of them." : `Did you mean ${near}?`
  return Result.fail(invalid("SCRIPT_VERB", `${where}.do`, verb, `one of ${[...verbs.keys()].join(", ")}`, fix))
}

const timeMaxMs = 7 * 86_400_000
const Time = Schema.Union([Schema.String, Schema.Finite]).check(
  Schema.makeFilter((given) => {
    const ms = millis(given)
    return (ms >= 0 && ms <= timeMaxMs) || 'a length of time from 0 to 7 days, such as "5 seconds" or 5000'
  })
)
const millis = (given: string | number): number =>
  Option.match(Duration.fromInput(given as Duration.Input), { onNone: () => Number.NaN, onSome: Duration.toMillis })

const Instant = Schema.Struct({ at: Time })
const Lasting = Schema.Struct({ at: Time, for: Schema.optionalKey(Time) })
const Taking = Schema.Struct({ at: Time, for: Time })
const Losing = Schema.Struct({ at: Time, count: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))) })
const FailingTools = Schema.Struct({
  ...Losing.fields,
  status: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(400), Schema.isLessThanOrEqualTo(599)))
})
const Delaying = Schema.Struct({ at: Time, by: Time, for: Schema.optionalKey(Time) })

type Read = (fields: unknown) => Result.Result<Omit<Step, "verb">, Schema.SchemaError>
type Given = typeof Lasting.Type
type Apply = (control: Control) => Change

const reading = <S extends Schema.ConstraintDecoder<Given>>(
  schema: S,
  begin: (control: Control, given: S["Type"]) => Change,
  undo?: Apply
): Read => {
  const decode = Schema.decodeUnknownResult(schema)
  return (fields) =>
    Result.map(decode(fields, { onExcessProperty: "error" }), (given: S["Type"]) => ({
      atMs: millis(given.at),
      begin: (control) => begin(control, given),
      end: given.for === undefined || undo === undefined ? undefined : { afterMs: millis(given.for), undo }
    }))
}
const instant = (begin: Apply) => reading(Instant, begin)
const lasting = (begin: Apply, undo: Apply) => reading(Lasting, begin, undo)
const taking = (begin: (control: Control, ms: number) => Change) => reading(Taking, (control, given) => begin(control, millis(given.for)))

const verbs = new Map<string, Read>([
  [
    "drop",
    reading(
      Lasting,
      (control, given) => (given.for === undefined ? control.drop : control.refuse),
      (control) => control.accept
    )
  ],
  [
    "refuse",
    lasting(
      (control) => control.refuse,
      (control) => control.accept
    )
  ],
  ["accept", instant((control) => control.accept)],
  [
    "refuseSessions",
    lasting(
      (control) => control.refuseSessions,
      (control) => control.acceptSessions
    )
  ],
  ["acceptSessions", instant((control) => control.acceptSessions)],
  [
    "failHttp",
    lasting(
      (control) => control.failHttp,
      (control) => control.healHttp
    )
  ],
  [
    "resetHttp",
    lasting(
      (control) => control.resetHttp,
      (control) => control.healHttp
    )
  ],
  ["healHttp", instant((control) => control.healHttp)],
  [
    "hang",
    lasting(
      (control) => control.hang,
      (control) => control.thaw
    )
  ],
  ["thaw", instant((control) => control.thaw)],
  ["loseReplies", reading(Losing, (control, given) => control.loseReplies(given.count ?? 1))],
  ["failTools", reading(FailingTools, (control, given) => control.failTools(given.count ?? 1, given.status))],
  ["loseTools", reading(Losing, (control, given) => control.loseTools(given.count ?? 1))],
  [
    "delayCommit",
    reading(
      Delaying,
      (control, given) => control.delayCommit(millis(given.by)),
      (control) => control.delayCommit(0)
    )
  ],
  ["drain", taking((control, ms) => control.drain(ms))],
  ["restart", taking((control, ms) => control.restart(ms))],
  ["starting", taking((control, ms) => control.starting(ms))]
])

const invalid = (code: string, where: string, got: unknown, want: string, fix: string): ConfigInvalid =>
  new ConfigInvalid({ code, where, got: shown(got), want, fix })
