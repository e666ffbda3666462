/** One client that loses its server for so long: `node reconnectPeer.mjs CLIENT MILLISECONDS FOLDER`; says when it was back. */
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"

const [client, awayMs, folder] = process.argv.slice(2)
const load = createRequire(join(folder, "package.json"))
const { WebSocket, WebSocketServer } = load("ws")

const accepting = new WebSocketServer({ noServer: true })

const serve = async (port) => {
  const http = createServer()
  const sockets = new Set()
  http.on("connection", (socket) => sockets.add(socket))
  if (client === "socket.io-client") load("socket.io")(http)
  else http.on("upgrade", (request, socket, head) => accepting.handleUpgrade(request, socket, head, () => {}))
  await new Promise((resolve) => http.listen(port, "127.0.0.1", resolve))
  return {
    port: http.address().port,
    kill: () => {
      http.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** With its own defaults. */
const connect = (port, opened) => {
  if (client === "socket.io-client") return load("socket.io-client").io(`http://127.0.0.1:${port}`).on("connect", opened)
  const Client = client === "partysocket" ? load("partysocket").WebSocket : load("reconnecting-websocket")
  const socket = new (Client.default ?? Client)(`ws://127.0.0.1:${port}`, [], { WebSocket })
  socket.addEventListener("error", () => {})
  socket.addEventListener("open", opened)
}

let opened
const next = () => new Promise((resolve) => (opened = resolve))
const first = next()
const server = await serve(0)
connect(server.port, () => opened(performance.now()))
await first
await pause(6_000 + Math.random() * 500) // Some take a connection for good after five seconds alone.
const again = next()
server.kill()
await pause(Number(awayMs) + Math.random() * 250)
await serve(server.port)
const startedAt = performance.now()
const backMs = Math.max(0, (await again) - startedAt)
process.stdout.write(JSON.stringify({ backMs }), () => process.exit(0))
