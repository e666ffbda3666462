/** What a skill is given of the link: the session and the tools of the gateway, as far as its `needs` name them. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import type { AttemptFacts } from "../domain/Attempt.ts"
import { shown } from "../domain/Errors.ts"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"
import { LinkFailed, type LinkReason, notDeclared } from "../domain/LinkFailed.ts"
import { hasLabel, skillLabel, writtenAtMs } from "../domain/Outbox.ts"
import { iso } from "../domain/Run.ts"
import type { Need, SkillDefinition } from "../domain/Skill.ts"
import type { Injected, SessionMessage } from "../domain/SkillContext.ts"
import * as Wire from "../domain/Wire.ts"
import { type Circuit, makeCircuit } from "./Circuit.ts"
import { History } from "./History.ts"
import { Secrets } from "./Secrets.ts"
import { type CallFailed, frameTooLarge, Session } from "./Session.ts"
import { type Invocation, invokeTool, isBroken } from "./Tools.ts"

/** The session and the gateway as one skill may ask them in one attempt. */
export interface SkillLink {
  readonly session: {
    readonly history: (options?: {
      readonly session?: string | undefined
      readonly limit?: number | undefined
    }) => Effect.Effect<ReadonlyArray<SessionMessage>, LinkFailed>
    readonly inject: (
      text: string,
      options?: { readonly session?: string | undefined; readonly label?: string | undefined }
    ) => Effect.Effect<Injected, LinkFailed>
  }
  readonly gateway: {
    readonly invoke: (
      tool: string,
      args?: Readonly<Record<string, unknown>>,
      options?: { readonly action?: string | undefined }
    ) => Effect.Effect<unknown, LinkFailed>
  }
}

/** What all skills share of the link; nothing where no gateway is configured. */
export class Linked extends Context.Reference<
  | {
      readonly session: string
      readonly history: (session: string, limit: number) => Effect.Effect<ReadonlyArray<SessionMessage>, LinkFailed>
      readonly inject: (row: Row) => Effect.Effect<Injected, LinkFailed>
      readonly invoke: (invocation: Invocation) => Effect.Effect<unknown, LinkFailed>
      readonly circuit: Circuit["state"]
    }
  | undefined
>("holdfast/layers/Linked", { defaultValue: () => undefined }) {}

interface Row {
  readonly session: string
  readonly text: string
  readonly label: string
  /** It cannot have been sent before. */
  readonly sinceMs: number
}

/** `session` is the key of the one that is meant where a skill names none. */
export const layerLinked = (options: {
  readonly url: GatewayUrl
  readonly token: Redacted.Redacted | undefined
  readonly session: string
}): Layer.Layer<never, never, Session | History> =>
  Layer.effect(
    Linked,
    Effect.gen(function* () {
      const session = yield* Session
      const history = yield* History
      const secrets = yield* Secrets
      const circuit = yield* makeCircuit
      return {
        session: options.session,
        history: (key, limit) => Effect.mapBoth(history.newest(key, limit), { onSuccess: messagesOf, onFailure: unanswered }),
        inject: (row) => inject(session, history, { ...row, text: secrets.text(row.text) }),
        invoke: (invocation) =>
          circuit.through(
            invokeTool(options, invocation),
            isBroken,
            () => new LinkFailed({ reason: "circuitOpen", need: "gateway", asked: invocation.tool, retryable: true })
          ),
        circuit: circuit.state
      }
    })
  )

/** What this skill may ask in this attempt. */
export const linkOf = (
  { needs, report }: Pick<SkillDefinition, "needs"> & Partial<Pick<SkillDefinition, "report">>,
  facts: AttemptFacts
): Effect.Effect<SkillLink> =>
  Effect.gen(function* () {
    const linked = yield* Linked
    const asking = <A>(need: Need, asked: string, ask: (link: NonNullable<typeof linked>) => Effect.Effect<A, LinkFailed>) =>
      Effect.suspend(() => {
        if (!needs.includes(need)) return Effect.fail(notDeclared(need, asked))
        return linked === undefined ? Effect.fail(new LinkFailed({ reason: "notConnected", need, asked, retryable: true })) : ask(linked)
      })
    return {
      session: {
        history: ({ session, limit = 50 } = {}) =>
          asking("session", "chat.history", (link) =>
            link.history(session ?? report?.session ?? link.session, Math.min(200, Math.max(1, Math.trunc(limit))))
          ),
        inject: (text, { session, label } = {}) =>
          asking("session", "chat.inject", (link) =>
            Effect.gen(function* () {
              if (label !== undefined && !labelRule.test(label)) return yield* refused("LABEL_INVALID", shown(label))
              const sinceMs = facts.startedAtMs ?? (yield* Clock.currentTimeMillis)
              // Without a name the text itself is one: numbers would shift where a later attempt is given a step's result.
              const name = label ?? createHash("sha256").update(text).digest("hex").slice(0, 16)
              return yield* link.inject({
                session: session ?? report?.session ?? link.session,
                text,
                label: skillLabel(facts.run, name),
                sinceMs
              })
            })
          )
      },
      gateway: {
        invoke: (tool, args = {}, { action } = {}) => asking("gateway", shown(tool), (link) => link.invoke({ tool, args, action }))
      }
    }
  })

const labelRule = /^[A-Za-z0-9._-]{1,64}$/
const refused = (code: string, detail: string) =>
  Effect.fail(new LinkFailed({ reason: "refused", need: "session", asked: "chat.inject", code, detail, retryable: false }))

/** How long it may take to look whether a row stands already. */
const lookWithinMs = 15_000

/** Looks first, since a row that is sent twice stands twice; a session that does not exist is made. */
const inject = Effect.fnUntraced(function* (
  session: Session["Service"],
  history: History["Service"],
  { session: sessionKey, text, label, sinceMs }: Row
): Effect.fn.Return<Injected, LinkFailed> {
  const stands = yield* history
    .has(sessionKey, (message) => hasLabel(label, message), sinceMs)
    .pipe(
      Effect.catchIf(isInvalid, () => Effect.succeed(false)), // No session, no row in it.
      Effect.mapError(unanswered),
      Effect.timeoutOrElse({
        duration: lookWithinMs,
        orElse: () => Effect.fail(new LinkFailed({ reason: "timeout", need: "session", asked: "chat.history", retryable: true }))
      })
    )
  if (stands) return { already: true }
  const send = session.call("chat.inject", { sessionKey, message: text, label } satisfies Wire.InjectParams)
  const create = session.call("sessions.create", { key: sessionKey } satisfies typeof Wire.CreateParams.Type)
  yield* send.pipe(
    Effect.catchIf(isInvalid, () => Effect.andThen(create, send)),
    Effect.mapError(unanswered)
  )
  return { already: false }
})

const isInvalid = ({ code }: CallFailed): boolean => code === Wire.errorCodes.invalid

const unanswered = (failed: CallFailed): LinkFailed =>
  new LinkFailed({
    reason: reasonOf(failed),
    need: "session",
    asked: failed.method,
    code: failed.code,
    detail: failed.detail,
    retryable: failed.reason !== "refused" || !wrong.has(failed.code ?? "")
  })

/** A question may be asked again; what was to be done may have been done. */
const reasonOf = ({ reason, method, sent }: CallFailed): LinkReason => {
  if (reason === "refused" || reason === "notConnected") return reason
  if (sent && method === "chat.inject") return "ambiguous"
  return reason === "timeout" ? "timeout" : "notConnected"
}

/** Refusals of the request itself. Any other is about the link, and ends with what ails that. */
const wrong: ReadonlySet<string> = new Set([Wire.errorCodes.invalid, frameTooLarge])

const messagesOf = (messages: ReadonlyArray<Wire.Message>): ReadonlyArray<SessionMessage> =>
  messages.map((message) => {
    const atMs = writtenAtMs(message)
    return { role: message.role, text: Wire.textOf(message), at: atMs === undefined ? undefined : iso(atMs) }
  })
