/** What something that a skill's code threw says of itself, in process and in a child host alike. */
import type { FailureClass } from "./Ending.ts"

/**
 * Its `class`, if that is one of ours; a `code` that begins with `LINK_` and a field `needs` say `link` as well. It is tried again
 * unless it has `retryable: false`, or is of a class that trying again cannot help.
 */
export const sayingOf = (thrown: unknown): { readonly retryable: boolean; readonly class?: FailureClass } => {
  const said = (typeof thrown === "object" && thrown !== null ? thrown : {}) as Readonly<Record<string, unknown>>
  const { code, needs, retryable } = said
  const isLink = needs !== undefined || (typeof code === "string" && code.startsWith("LINK_"))
  const named = classes.find((one) => one === said["class"]) ?? (isLink ? "link" : undefined)
  return { retryable: retryable !== false && (named ?? "link") === "link", ...(named === undefined ? {} : { class: named }) }
}

const classes = ["link", "config", "terminal"] as const satisfies ReadonlyArray<FailureClass>
