/** What a person can do about a part of the link that is down. Most losses end by themselves and are none of these. */
import { type Problem, shown } from "./Errors.ts"

/**
 * The problem behind a loss that waiting does not cure: `GATEWAY_AUTH`, `GATEWAY_VERSION` or `GATEWAY_FOREIGN`; nothing for
 * any other. `detail` is what the peer said, without secrets.
 */
export const linkProblem = (part: "session" | "gateway", reason: string, detail: string): Problem | undefined => {
  const cure = cures[reason]
  return cure === undefined ? undefined : { code: cure.code, where: part, got: shown(detail), want: cure.want, fix: cure.fix }
}

const cures: Readonly<Record<string, Pick<Problem, "code" | "want" | "fix"> | undefined>> = {
  unauthorized: {
    code: "GATEWAY_AUTH",
    want: "the gateway's own token, with the scopes operator.read, operator.write and operator.admin",
    fix: "put the right token into HOLDFAST_GATEWAY_TOKEN or the token file; it is tried again once a minute"
  },
  wrongProtocol: {
    code: "GATEWAY_VERSION",
    want: "a gateway that speaks wire protocol 4",
    fix: "update the gateway or Holdfast; it is tried again once a minute"
  },
  notAGateway: {
    code: "GATEWAY_FOREIGN",
    want: "an OpenClaw gateway at this address",
    fix: "check the port in gateway.url: something else answers there"
  }
}
