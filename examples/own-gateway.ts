/** A gateway of your own kind: a small one, the adapter for it, and a runtime that reports to it. Run it: `node examples/own-gateway.ts`. */
import { createRuntime, type GatewayAdapter, skill } from "holdfast"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { WebSocketServer } from "ws"

// It is greeted with `HELLO <token>`, takes `POST <number> <text>` and answers `OK <number>`.
const http = createServer((_, response) => response.end("up"))
const sockets = new WebSocketServer({ server: http })
sockets.on("connection", (socket) =>
  socket.on("message", (data: Buffer) => {
    const [word, id, ...text] = data.toString().split(" ")
    if (word === "HELLO") socket.send("HELLO back")
    if (word !== "POST") return
    console.log(text.join(" "))
    socket.send(`OK ${id}`)
  })
)
await once(http.listen(0, "127.0.0.1"), "listening")

const shouting: GatewayAdapter = {
  name: "shouting",
  readyPath: "/",
  readiness: (status) => (status === 200 ? "ready" : { reason: "starting" }),
  line: () => {
    let greeting = ""
    const answer = (id: string, payload: object) => ({ frames: [{ type: "res", id, ok: true, payload } as const] })
    return {
      // It does not challenge anybody, so that is made up.
      opened: () => ({ frames: [{ type: "event", event: "connect.challenge", payload: {} }] }),
      asked: ({ id, method, params }) => {
        const asked = params as Record<string, any>
        if (method === "connect") {
          greeting = id
          return { tell: [`HELLO ${asked["auth"]?.token}`] }
        }
        if (method === "chat.inject") return { tell: [`POST ${id} ${String(asked["message"]).toUpperCase()}`] }
        return answer(id, method === "chat.history" ? { messages: [] } : {})
      },
      heard: (text) => {
        const [word, id = ""] = text.split(" ")
        const hello = { type: "hello-ok", protocol: 4, server: { version: "1", bootId: "the only one" } }
        return word === "HELLO" ? answer(greeting, hello) : word === "OK" ? answer(id, { ok: true }) : {}
      }
    }
  }
}

const runtime = await createRuntime({
  state: mkdtempSync(join(tmpdir(), "holdfast-own-gateway-")),
  gateway: { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, token: "a-token", adapter: shouting },
  skills: [
    skill({ name: "heartbeat", schedule: { every: "1 minute" }, report: { when: "always" }, run: () => ({ summary: "all is well" }) })
  ]
})
await runtime.trigger("heartbeat")
await new Promise<void>((resolve) => runtime.subscribe(({ type }) => type === "entry.acknowledged" && resolve()))
await runtime.stop()
sockets.close()
for (const socket of sockets.clients) socket.terminate()
http.close()
