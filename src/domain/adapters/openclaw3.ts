/**
 * OpenClaw as it was in February 2026, wire version 3, measured on 2026.2.26: no boot is named, `/readyz` is not known, a session is made
 * by `sessions.patch`, and history comes in one page whose texts are not cut.
 */
import * as Result from "effect/Result"
import type { GatewayAdapter, Turn } from "../GatewayAdapter.ts"
import { type ConnectParams, historyLimitMax, type HistoryParams, parseFrame, protocol, type Request, type Response } from "../Wire.ts"

export const openclaw3Gateway: GatewayAdapter = {
  name: "openclaw-3",
  readyPath: "/readyz",
  // Its listener is up when it is ready; it says 404 to every address that it does not serve.
  readiness: (status, body) => (status === 404 && body.trim() === "Not Found" ? "ready" : { reason: "notAGateway" }),
  line: () => {
    let connecting: string | undefined
    return {
      opened: () => ({}),
      asked: (request) => {
        if (request.method === "connect") connecting = request.id
        return asked(request)
      },
      heard: (text) => {
        const frame = parseFrame(text)
        if (Result.isFailure(frame)) return {}
        const { success } = frame
        return { frames: [success.type === "res" && success.id === connecting ? greeted(success) : success] }
      }
    }
  }
}

const asked = ({ params, ...request }: Request): Turn => {
  switch (request.method) {
    case "connect":
      return told({ ...request, params: { ...(params as ConnectParams), minProtocol: version, maxProtocol: version } })
    case "chat.history": {
      const { sessionKey, offset = 0 } = params as HistoryParams
      return offset === 0
        ? told({ ...request, params: { sessionKey, limit: historyLimitMax } })
        : answered(request.id, { messages: [], hasMore: false })
    }
    case "sessions.create":
      return told({ ...request, method: "sessions.patch", params })
    case "sessions.messages.subscribe":
      return answered(request.id, {})
    default:
      return told({ ...request, params })
  }
}

/** Each connection counts as one to another boot: what was not acknowledged is looked up in any case. */
const greeted = (response: Response): Response => {
  if (!response.ok) return response
  const hello = response.payload as { readonly server?: { readonly version?: string; readonly connId?: string } }
  const server = { version: hello.server?.version ?? "", bootId: hello.server?.connId ?? "" }
  return { ...response, payload: { ...hello, protocol, server } }
}

const version = 3
const told = (frame: Request): Turn => ({ tell: [JSON.stringify(frame)] })
const answered = (id: string, payload: unknown): Turn => ({ frames: [{ type: "res", id, ok: true, payload }] })
