/** A thread that greets as a gateway does, and then sends tiny frames as fast as they are taken. Says how many when asked. */
import type { AddressInfo, Socket } from "node:net"
import { parentPort } from "node:worker_threads"
import { type WebSocket, WebSocketServer } from "ws"

const frame = Buffer.from([0x81, 2, 0x7b, 0x7d]) // A whole text frame: {}
const many = Buffer.concat(Array.from({ length: 10_000 }, () => frame))
let sent = 0

const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
server.on("listening", () => parentPort!.postMessage((server.address() as AddressInfo).port, []))
server.on("connection", (line: WebSocket) => {
  line.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }))
  line.once("message", (data: Buffer) => {
    const { id } = JSON.parse(data.toString()) as { readonly id: string }
    line.send(
      JSON.stringify({ type: "res", id, ok: true, payload: { type: "hello-ok", protocol: 4, server: { version: "f", bootId: "b" } } })
    )
    const { _socket: socket } = line as unknown as { readonly _socket: Socket }
    socket.on("error", () => {})
    const flood = () => {
      if (socket.destroyed) return
      sent += 10_000
      if (socket.write(many)) setImmediate(flood)
      else socket.once("drain", flood)
    }
    setTimeout(flood, 100)
  })
})
parentPort!.on("message", () => parentPort!.postMessage(sent, []))
