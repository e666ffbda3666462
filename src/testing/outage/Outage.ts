/** A stretch of time without a part of what skills stand on. */
export interface Outage {
  /** The session's WebSocket; the gateway, and with it both layers of the link; the runtime, so that nobody is at work. */
  readonly what: Part
  /** The first instant without it. */
  readonly fromMs: number
  /** The first instant with it again. */
  readonly toMs: number
}

export const parts = ["session", "gateway", "runtime"] as const
export type Part = (typeof parts)[number]

export const isLost = (outages: ReadonlyArray<Outage>, part: Part, atMs: number): boolean =>
  outages.some(({ what, fromMs, toMs }) => fromMs <= atMs && atMs < toMs && (what === part || (part === "session" && what === "gateway")))

/** The first instant at or after `atMs` at which the part is lost, or there; nothing where that never comes. */
export const nextWhen = (outages: ReadonlyArray<Outage>, part: Part, lost: boolean, atMs: number): number | undefined =>
  [atMs, ...outages.flatMap(({ fromMs, toMs }) => [fromMs, toMs])]
    .filter((instant) => instant >= atMs)
    .sort((a, b) => a - b)
    .find((instant) => isLost(outages, part, instant) === lost)
