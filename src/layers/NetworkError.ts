/** What the errors of sockets, TLS and HTTP mean for the link. */
import type { LostReason } from "../machines/session.ts"
import type { LinkCode } from "../domain/LinkProblem.ts"

/** What was found out. `detail` is for people. */
export interface Trouble {
  readonly reason: LostReason
  readonly detail: string
  readonly problem?: LinkCode
}

/** Reads an error by its code. Those without one, and unknown ones, are about syntax: what answers keeps to no protocol of ours. */
export const troubleOf = ({ code = "", message }: { readonly code?: string | undefined; readonly message: string }): Trouble => {
  const reason = reasons[code]
  if (reason !== undefined) return { reason, detail: code, ...(reason === "silent" ? { problem: "GATEWAY_TIMEOUT" } : {}) }
  if (aboutTls.test(code)) return { reason: "untrusted", detail: `${certificates[code] ?? message} (${code})`, problem: "GATEWAY_TLS" }
  return { reason: "notAGateway", detail: code === "" ? message : `${code}: ${message}`, problem: "GATEWAY_PROTOCOL" }
}

const reasons: Readonly<Record<string, LostReason | undefined>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "refused",
  EAI_AGAIN: "refused",
  EHOSTUNREACH: "refused",
  ENETUNREACH: "refused",
  EHOSTDOWN: "refused",
  ENETDOWN: "refused",
  EADDRNOTAVAIL: "refused",
  EMFILE: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  ETIMEDOUT: "silent"
}

/** OpenSSL's names of what is wrong with a certificate, Node's own, and EPROTO: what answered a TLS greeting was not TLS. */
const aboutTls = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|EPROTO)/
const certificates: Readonly<Record<string, string | undefined>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "the issuer of its certificate is not known here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the issuer of its certificate is not known here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the issuer of its certificate is not known here",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  EPROTO: "what answers there does not speak TLS"
}
