/** What reaches the gateway, wired once: the session and all that travels on it, by OpenClaw's wire or through an adapter. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { join } from "node:path"
import type { GatewayAdapter } from "../domain/GatewayAdapter.ts"
import { scopesFor } from "../domain/Outbox.ts"
import type { ReportWay, SkillDefinition } from "../domain/Skill.ts"
import { adapted } from "./Adapted.ts"
import { deviceIn } from "./Device.ts"
import { Dial } from "./Dial.ts"
import { Gateway } from "./Gateway.ts"
import type { Peer } from "./Greeting.ts"
import { History } from "./History.ts"
import * as Hooks from "./Hooks.ts"
import { Session } from "./Session.ts"
import { layerLinked } from "./SkillLink.ts"
import { StateStore } from "./StateStore.ts"

/** The real one, a scripted one, or none. */
export type Link = Layer.Layer<Session | History | Gateway, never, StateStore>

export interface LinkOptions extends Pick<Peer, "url" | "tokenAgain" | "version"> {
  readonly token?: Redacted.Redacted | undefined
  readonly hookToken?: Redacted.Redacted | undefined
  /** The key of the session that gets the reports. */
  readonly session: string
  readonly adapter?: GatewayAdapter | undefined
  /** The state directory. */
  readonly state: string
}

/** A link to a gateway, for these skills. */
export const linkTo = (
  { url, token, hookToken, session, adapter, state, ...peer }: LinkOptions,
  skills: ReadonlyArray<Pick<SkillDefinition, "needs" | "report">>
): Link => {
  const device = url.distance === "remote" ? deviceIn(join(state, "device.json")) : undefined
  const ways = skills.flatMap(waysOf)
  return layerLinked({ url, token, session }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        History.layer({ session }),
        Gateway.layer(url, adapter),
        hookToken === undefined ? Layer.empty : Hooks.layer(url, hookToken)
      )
    ),
    Layer.provideMerge(
      Layer.unwrap(
        StateStore.useSync(({ ledger: { outbox } }) => {
          // A report may still wait that an earlier set of skills made.
          const scopes = Effect.sync(() => scopesFor([...ways, ...outbox.values().map(({ via }): ReportWay => via ?? "inject")]))
          return Session.layer({ ...peer, url, token, scopes, device })
        })
      )
    ),
    Layer.provide(adapter === undefined ? Dial.layer : Layer.provide(adapted(adapter), Dial.layer))
  )
}

/** Without a gateway the machines of the link are never started; these are never asked. */
export const noLink: Link = Layer.mergeAll(
  Session.layerNoop,
  Layer.succeed(History, { has: () => Effect.succeed(false), newest: () => Effect.succeed([]) }),
  Layer.succeed(Gateway, { probe: Effect.never })
)

/** A skill that needs the session may put something into it by itself. */
const waysOf = ({ needs, report: { via = "inject" } }: Pick<SkillDefinition, "needs" | "report">): ReadonlyArray<ReportWay> =>
  needs.includes("session") ? [via, "inject"] : [via]
