/** What a child host asks of the link for its skill: read, asked, and answered, all of it JSON. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { shown } from "../domain/Errors.ts"
import { LinkFailed, type LinkFailure } from "../domain/LinkFailed.ts"
import type { SkillLink } from "./SkillLink.ts"

/** As it comes over the channel; what it is asked `with` is the skill's own, and may be anything. */
export const LinkQuestion = Schema.Struct({
  type: Schema.Literals(["session.history", "session.inject", "gateway.invoke"]),
  id: Schema.Int,
  with: Schema.Record(Schema.String, Schema.Unknown)
})

/** Asks, and gives what the host is to be told. */
export const answerTo = (link: SkillLink, question: typeof LinkQuestion.Type): Effect.Effect<object> =>
  Effect.map(Effect.exit(ask(link, question)), (exit) => {
    if (Exit.isSuccess(exit)) return { id: question.id, start: exit.value }
    const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
    const error = { code: "LINK_DEFECT", message: "the runtime could not ask", refused: false }
    return { id: question.id, error: failure === undefined ? error : { ...error, link: asData(failure) } }
  })

const asData = ({ reason, need, asked, code, detail, retryable }: LinkFailed): LinkFailure => ({
  reason,
  need,
  asked,
  code,
  detail,
  retryable
})

const ask = (link: SkillLink, { type, with: given }: typeof LinkQuestion.Type): Effect.Effect<unknown, LinkFailed> => {
  switch (type) {
    case "session.history":
      return read(type, HistoryQuestion, given, (options) => link.session.history(options))
    case "session.inject":
      return read(type, InjectQuestion, given, ({ text, ...options }) => link.session.inject(text, options))
    case "gateway.invoke":
      return read(type, InvokeQuestion, given, ({ tool, args, ...options }) => link.gateway.invoke(tool, args, options))
  }
}

const optionalText = Schema.optionalKey(Schema.String)
const HistoryQuestion = Schema.Struct({ session: optionalText, limit: Schema.optionalKey(Schema.Finite) })
const InjectQuestion = Schema.Struct({ text: Schema.String, session: optionalText, label: optionalText })
const InvokeQuestion = Schema.Struct({
  tool: Schema.String,
  args: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  action: optionalText
})

const read = <S extends Schema.ConstraintDecoder<unknown>>(
  type: (typeof LinkQuestion.Type)["type"],
  schema: S,
  given: unknown,
  ask: (question: S["Type"]) => Effect.Effect<unknown, LinkFailed>
): Effect.Effect<unknown, LinkFailed> =>
  Result.match(Schema.decodeUnknownResult(schema)(given), {
    onSuccess: ask,
    onFailure: (problem) =>
      Effect.fail(
        new LinkFailed({
          reason: "refused",
          need: type === "gateway.invoke" ? "gateway" : "session",
          asked: type,
          code: "ARGS_INVALID",
          detail: shown(String(problem)),
          retryable: false
        })
      )
  })
