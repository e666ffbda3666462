/**
 * Why a skill that asked the session or the gateway got no answer.
 *
 * A plain error, apart from the others in `Errors.ts`: child hosts throw it too, and those load next to nothing.
 */
import type { FailureClass } from "./Ending.ts"
import type { Need } from "./Skill.ts"

/**
 * - `notConnected`: it was not sent, or it was a question and the connection ended before the answer.
 * - `timeout`: no answer to a question within 15 s, or nobody to send it to within that time.
 * - `refused`: the answer is no; `code` says which.
 * - `ambiguous`: it was sent and no answer came, so it may have been done.
 * - `circuitOpen`: the gateway failed so often in a row that it is left alone for some seconds.
 * - `notDeclared`: the skill does not have this in its `needs`.
 */
export type LinkReason = "notConnected" | "timeout" | "refused" | "ambiguous" | "circuitOpen" | "notDeclared"

/** The same as data, as it travels to a child host. */
export interface LinkFailure {
  readonly reason: LinkReason
  readonly need: Need
  /** The method or the tool. */
  readonly asked: string
  /** Of a refusal: `HTTP_404`, or the session's own word, such as `INVALID_REQUEST`. */
  readonly code?: string | undefined
  /** For people; never holds the token. */
  readonly detail?: string | undefined
  /** Whether the same may succeed later, without a change of the skill. */
  readonly retryable: boolean
}

/** What `ctx.session` and `ctx.gateway` fail with. A skill that ends by it fails with `class`: `link` unless it is at fault itself. */
export class LinkFailed extends Error implements LinkFailure {
  readonly _tag = "LinkFailed"
  override readonly name = "LinkFailed"
  readonly reason: LinkReason
  readonly need: Need
  readonly asked: string
  readonly code: string | undefined
  readonly detail: string | undefined
  readonly retryable: boolean
  readonly class: FailureClass

  constructor({ reason, need, asked, code, detail, retryable }: LinkFailure) {
    super(`${reason}: ${asked}${code === undefined ? "" : ` ${code}`}${detail === undefined ? "" : ` (${detail})`}`)
    this.reason = reason
    this.need = need
    this.asked = asked
    this.code = code
    this.detail = detail
    this.retryable = retryable
    this.class = reason === "notDeclared" ? "config" : retryable ? "link" : "terminal"
  }
}

/** The failure of a skill that asks for what it does not declare. */
export const notDeclared = (need: Need, asked: string): LinkFailed =>
  new LinkFailed({ reason: "notDeclared", need, asked, detail: `add \`needs: [${need}]\` to the skill`, retryable: false })
