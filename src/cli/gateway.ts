/** `holdfast gateway`: the embedded gateway as a process of its own, to try things on and to break. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { join, resolve } from "node:path"
import { EmbeddedGateway, loadScript, play } from "../gateway/index.ts"
import { hookTokenVariable, tokenVariable } from "../layers/Config.ts"
import { defineCommand, exit } from "./command.ts"
import { tokenIn } from "./gatewayToken.ts"
import { userStateFolder } from "./place.ts"
import { stopSignals } from "./signals.ts"

/** The port of OpenClaw's gateway in the documents that this one stands in for. */
export const portDefault = 3019

export const command = defineCommand({
  about:
    "Serves the part of a gateway that Holdfast uses, on loopback: WebSocket sessions and HTTP health on one port. " +
    `Its token is ${tokenVariable}, else the one in DIR/token, which is made for you. With ${hookTokenVariable} set it has hooks. Transcripts are kept in DIR/transcripts. ` +
    "It is for trying and testing: kill it, stop it (kill -STOP), or give it a script of faults.",
  flags: {
    port: { type: "number", value: "N", min: 0, max: 65_535, about: `default: ${portDefault}; 0 takes any free one` },
    directory: { type: "text", value: "DIR", about: "its token and transcripts (default: holdfast-gateway in the user's state folder)" },
    script: { type: "text", value: "FILE", about: 'a drill: [{ "at": "5 seconds", "do": "refuseSessions", "for": "10 seconds" }, ...]' }
  },
  examples: [
    ["holdfast gateway", `on port ${portDefault}`],
    ["holdfast gateway --port 0 --directory /tmp/gateway --json", "says its port as JSON"],
    ["holdfast gateway --script drill.json", "fails on a timetable"]
  ],
  run: ({ flags, out }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const signals = yield* stopSignals
        const script = flags.script === undefined ? [] : yield* loadScript(resolve(flags.script))
        const directory = resolve(flags.directory ?? join(userStateFolder(), "holdfast-gateway"))
        const given = process.env[tokenVariable]?.trim() ?? ""
        const tokenFile = given === "" ? join(directory, "token") : undefined
        const token = tokenFile === undefined ? Redacted.make(given) : yield* tokenIn(tokenFile)
        const hookToken = process.env[hookTokenVariable]?.trim() ?? "" // Without one it has no hooks.
        const gateway = yield* EmbeddedGateway.make({
          port: flags.port ?? portDefault,
          token,
          ...(hookToken === "" ? {} : { hookToken: Redacted.make(hookToken) }),
          directory: join(directory, "transcripts")
        })
        const { port, url } = gateway
        if (out.json) out.value({ type: "gateway.listening", port, url, pid: process.pid, directory, token: tokenFile ?? tokenVariable })
        else {
          out.line(`${out.paint.green("listening")} on ${url}  (pid ${process.pid}; http://localhost:${port}/health)`)
          out.line(out.paint.dim(`token in ${tokenFile ?? tokenVariable}, transcripts in ${join(directory, "transcripts")}`))
        }
        const stopped = Effect.map(Queue.take(signals), () => exit.ok)
        return yield* script.length === 0 ? stopped : Effect.raceFirst(stopped, Effect.andThen(play(gateway, script), Effect.never))
      })
    )
})
