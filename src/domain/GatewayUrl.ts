/** Where the gateway is: one address, read strictly, because a token is sent there. */
import * as Result from "effect/Result"
import { ConfigInvalid, shown } from "./Errors.ts"
import type { Distance } from "./policies/backoff.ts"

/** A gateway's address, in both of its forms. */
export interface GatewayUrl {
  /** Of the session: `ws://localhost:3019/`. */
  readonly ws: string
  /** Of the probes: `http://localhost:3019/readyz`. */
  readonly readyz: string
  /** Of the hook that takes a line for the next heartbeat. */
  readonly hooksWake: string
  readonly distance: Distance
}

/**
 * Reads `ws://` for this machine (`localhost`, `127.0.0.1`, `[::1]`, literally) and `wss://` for any other. Credentials, a
 * query or a fragment are refused, and then the value is not repeated: it may hold a secret.
 */
export const gatewayUrl = (text: string, where = "gateway.url"): Result.Result<GatewayUrl, ConfigInvalid> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (/[@?#]/.test(text)) {
    return Result.fail(
      new ConfigInvalid({
        code: "GATEWAY_URL_CREDENTIALS",
        where,
        got: "an address with credentials, a query or a fragment (not shown)",
        want: "scheme, host and port only",
        fix: "give the token by HOLDFAST_GATEWAY_TOKEN or a 0600 file"
      })
    )
  }
  if (url === undefined || text.trim() !== text) return refused(where, text, "check the address")
  const distance = loopbackHosts.has(url.hostname) ? "loopback" : "remote"
  if (url.protocol === "ws:" && distance === "remote") {
    return refused(where, text, "use wss:// to another machine: the token would travel in the clear")
  }
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return refused(where, text, "use ws:// to this machine, wss:// to another")
  const http = (path: string) => new URL(path, url).href.replace(/^ws/, "http")
  return Result.succeed({ ws: url.href, readyz: http("/readyz"), hooksWake: http("/hooks/wake"), distance })
}

/** Compared whole: a prefix test would take `127.evil.example` for ourselves. */
const loopbackHosts: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

const refused = (where: string, got: string, fix: string) =>
  Result.fail(
    new ConfigInvalid({
      code: "GATEWAY_URL",
      where,
      got: shown(got),
      want: "ws://localhost:PORT, or wss://HOST for another machine",
      fix
    })
  )
