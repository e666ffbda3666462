/** The result of a step that was a command: how it ended and what it printed, as the journal keeps it and a replay gives it. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * How much of each stream is kept, in bytes: the first of them. Both together stay below the longest result of a step, in
 * whatever form they are kept. What is more is not refused, since by then the work is done.
 */
export const stepOutputMax = 262_144

/** What was printed to one stream: as text where it is valid UTF-8, in base64 otherwise or where that is shorter. */
const Printed = Schema.Union([
  Schema.Struct({ text: Schema.String, cut: Schema.optionalKey(Schema.Int) }),
  Schema.Struct({ base64: Schema.String, cut: Schema.optionalKey(Schema.Int) })
])

export const StepOutput = Schema.Struct({ exit: Schema.Int, stdout: Printed, stderr: Printed })
export type StepOutput = typeof StepOutput.Type

/** The stream as it is kept. `bytes` are its first ones, at most `stepOutputMax`; `cut` is how many came after them. */
export const printed = (bytes: Buffer, cut: number): StepOutput["stdout"] => {
  const text = bytes.toString("utf8")
  const base64 = bytes.toString("base64")
  const whole = Buffer.from(text).equals(bytes) && Buffer.byteLength(JSON.stringify(text)) <= base64.length + 2
  return { ...(whole ? { text } : { base64 }), ...(cut === 0 ? {} : { cut }) }
}

/** The bytes of a stream. */
export const bytesOf = (stream: StepOutput["stdout"]): Buffer =>
  "text" in stream ? Buffer.from(stream.text) : Buffer.from(stream.base64, "base64")

/** A recorded result read back; nothing when it is not that of a command. */
export const readStepOutput = (result: unknown): StepOutput | undefined =>
  Result.getOrUndefined(Schema.decodeUnknownResult(StepOutput)(result))
