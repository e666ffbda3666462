/** Reading what the gateway sends: a frame, or the code of what is wrong with it and where. What stood in it is never shown: it may be anybody's words. */
import * as Result from "effect/Result"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { fieldName, type Path } from "./fields.ts"
import type { LinkCode } from "./LinkProblem.ts"
import { Event, type Frame, Refusal, Reply, Request } from "./Wire.ts"

export interface FrameProblem {
  readonly code: Extract<LinkCode, `FRAME_${string}`>
  readonly detail: string
}

/** No frame of the wire comes near it. */
export const levelsMax = 64

/** Reads one frame; nothing stands for one that was not text. Unknown fields are dropped. */
export const readFrame = (text: string | undefined): Result.Result<Frame, FrameProblem> => {
  if (text === undefined) return wrong("FRAME_SYNTAX", "a binary frame")
  if (text === "") return wrong("FRAME_SYNTAX", "an empty frame")
  if (isTooDeep(text)) return wrong("FRAME_TOO_DEEP", `more than ${levelsMax} levels`)
  const json = Result.try({ try: (): unknown => JSON.parse(text), catch: () => `${text.length} characters that are not JSON` })
  if (Result.isFailure(json)) return wrong("FRAME_SYNTAX", json.failure)
  const frame = json.success
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) return wrong("FRAME_SHAPE", `${kindOf(frame)} for a frame`)
  const schema = schemaOf(frame)
  if (typeof schema === "string") return wrong("FRAME_SHAPE", `${kindOf((frame as Record<string, unknown>)[schema])} at ${schema}`)
  const read = SchemaParser.decodeUnknownResult(schema)(frame)
  if (Result.isSuccess(read)) return Result.succeed(read.success)
  const path = pathOf(read.failure)
  const value = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], frame)
  return wrong("FRAME_SHAPE", `${kindOf(value)} at ${fieldName(path)}`)
}

/** Whether brackets outside of strings are nested too deeply. Counted, since a parser that descends is what such a frame is aimed at. */
export const isTooDeep = (text: string): boolean => {
  let level = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (quoted) {
      if (c === backslash) i++
      else if (c === quote) quoted = false
    } else if (c === quote) quoted = true
    else if (c === openBrace || c === openBracket) {
      if (++level > levelsMax) return true
    } else if (c === closeBrace || c === closeBracket) level--
  }
  return false
}
const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d]

/** The shape that a frame claims to have, or the field that makes no claim we know. */
const schemaOf = (frame: { readonly type?: unknown; readonly ok?: unknown }) => {
  switch (frame.type) {
    case "req":
      return Request
    case "event":
      return Event
    case "res":
      return frame.ok === true ? Reply : frame.ok === false ? Refusal : "ok"
    default:
      return "type"
  }
}

const pathOf = (issue: SchemaIssue.Issue): Path => {
  switch (issue._tag) {
    case "Pointer":
      return [...issue.path, ...pathOf(issue.issue)]
    case "Composite":
      return pathOf(issue.issues[0])
    default:
      return []
  }
}

const kindOf = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value === null
      ? "null"
      : Array.isArray(value)
        ? "a list"
        : typeof value === "object"
          ? "an object"
          : typeof value === "number" && !Number.isFinite(value)
            ? "a number without end"
            : `a ${typeof value}`

const wrong = (code: FrameProblem["code"], detail: string): Result.Result<never, FrameProblem> => Result.fail({ code, detail })
