/** OpenClaw itself, held to the contract of all gateways, through a relay that is cut where it cannot be. */
import { Effect } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import { gatewayContract, runOf, type Stand } from "../contracts/gateway.ts"
import { transcript } from "./beside.ts"
import { install } from "./installed.ts"
import { OpenClaw } from "./OpenClaw.ts"
import { Relay } from "./Relay.ts"

let gateway: OpenClaw
let missing: string | undefined

beforeAll(async () => {
  missing = install()
  if (missing !== undefined) return console.log(`OpenClaw: skipped, because ${missing}`)
  gateway = await OpenClaw.make()
  await gateway.start()
})
afterAll(() => gateway?.remove())
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing)
})

gatewayContract(
  "OpenClaw",
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => Relay.make(gateway.port)),
      (relay) => Effect.promise(() => relay.break())
    ),
    (relay): Stand => ({
      url: relay.url,
      adapter: undefined,
      rows: Effect.promise(async () =>
        (await transcript(gateway, "agent:main:main")).map(({ text }) => runOf(/^\[(.+?)\]/.exec(text)?.[1] ?? ""))
      ),
      leave: Effect.promise(() => relay.break()),
      comeBack: Effect.promise(() => relay.mend()),
      loseReply: Effect.sync(() => relay.cut("answered")),
      failHttp: undefined
    })
  )
)
