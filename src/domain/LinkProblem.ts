/** What is wrong with a part of the link, where a person can do something about it or would ask. Most losses end by themselves and are none of these. */
import { type Problem, shown } from "./Errors.ts"

/** The problem by its code. `detail` is what was seen or what the peer said, without secrets. */
export const linkProblem = (part: "session" | "gateway", code: LinkCode, detail: string): Problem => ({
  code,
  where: part,
  got: shown(detail),
  ...cures[code]
})

const cures = {
  GATEWAY_AUTH: {
    want: "the gateway's own token, with the scopes operator.read, operator.write and operator.admin",
    fix: "put the right token into the token file, or into HOLDFAST_GATEWAY_TOKEN and start anew; it is tried again once a minute"
  },
  GATEWAY_VERSION: {
    want: "a gateway that speaks wire protocol 4",
    fix: "update the gateway or Holdfast; it is tried again once a minute"
  },
  GATEWAY_REDIRECT: {
    want: "a gateway at the address itself: no redirect is followed, the token stays where it belongs",
    fix: "put the gateway's own address into gateway.url, if the other one is it"
  },
  GATEWAY_NOT_WEBSOCKET: {
    want: "an OpenClaw gateway at this address, which takes WebSockets",
    fix: "check the port in gateway.url: something else answers there"
  },
  GATEWAY_PROTOCOL: {
    want: "answers as HTTP, WebSocket and the gateway's greeting have them",
    fix: "check the port in gateway.url, and any proxy on the way: what answers there is no gateway"
  },
  GATEWAY_TLS: {
    want: "a valid certificate for this host, from an issuer that this machine trusts",
    fix: "renew or correct the gateway's certificate, or make its issuer known to this machine (NODE_EXTRA_CA_CERTS)"
  },
  GATEWAY_TIMEOUT: {
    want: "an answer in time",
    fix: "look whether the gateway is frozen or overloaded; it is tried again"
  },
  GATEWAY_SILENT: {
    want: "a pong to each ping",
    fix: "look whether the gateway is frozen, or the network between; it is tried again"
  },
  GATEWAY_CLOCK_SKEW: {
    want: "clocks at most 2 minutes apart",
    fix: "have both machines set their clocks by NTP"
  },
  FRAME_SYNTAX: { want: "JSON in a text frame of UTF-8", fix: "check what stands at gateway.url, and any proxy on the way" },
  FRAME_SHAPE: { want: "a frame of wire protocol 4", fix: "check what stands at gateway.url; a newer gateway may need a newer Holdfast" },
  FRAME_TOO_LARGE: { want: "a frame of at most 1 MiB", fix: "look in the gateway for what is so long, such as a message of a session" },
  FRAME_TOO_DEEP: { want: "a frame of at most 64 levels", fix: "check what stands at gateway.url" },
  FRAME_FLOOD: { want: "at most 5,000 frames a second", fix: "look what the gateway sends so often" }
} as const satisfies Readonly<Record<string, Pick<Problem, "want" | "fix">>>

export type LinkCode = keyof typeof cures
