/** The runtime that loses its gateway for so long, with so many reports waiting: `node reconnectOurs.ts ours MILLISECONDS REPORTS`. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import { EmbeddedGateway } from "../src/gateway/index.ts"
import { createRuntime, skill } from "../src/index.ts"
import { pause, temporaryFolder, until } from "./figure.ts"

const [, awayMs = "1000", reports = "0"] = process.argv.slice(2)
using folder = temporaryFolder()

const told = await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const token = "a-token"
      const gateway = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make(token), directory: join(folder.path, "gateway") })
      let tries = 0
      let settled = 0
      const runtime = yield* Effect.promise(() =>
        createRuntime({
          state: join(folder.path, "state"),
          gateway: { url: gateway.url, token },
          skills: [skill({ name: "reporter", report: { when: "always" }, overlap: "allowAll", run: () => {} })],
          inspect: ({ type, actorRef }) => {
            if (type === "@xstate.actor" && "src" in actorRef && actorRef.src === "connection") tries += 1
          }
        })
      )
      runtime.subscribe(({ type }) => {
        if (type === "run.settled") settled += 1
      })
      const isBack = () => (runtime.mode === "connected" || runtime.mode === "resyncing" ? true : undefined)
      return yield* Effect.promise(async () => {
        await until("connected", isBack)
        await Effect.runPromise(gateway.control.refuse)
        await until("lost", () => (isBack() === undefined ? true : undefined))
        for (let i = 0; i < Number(reports); i++) await runtime.trigger("reporter", { key: String(i) })
        await until("settled", () => (settled === Number(reports) ? true : undefined), 120_000)
        const before = tries
        const away = Number(awayMs) + Math.random() * 250
        await pause(away)
        const triesPerSecond = (tries - before) / (away / 1_000)
        await Effect.runPromise(gateway.control.accept)
        const startedAt = performance.now()
        await until("back", isBack)
        const backMs = performance.now() - startedAt
        await runtime.stop({ now: true })
        return { backMs, triesPerSecond }
      })
    })
  )
)
process.stdout.write(JSON.stringify(told))
