/** The embedded gateway, for trying things and for testing, and the scripts that make it fail. */
export type { Control } from "./Control.ts"
export { EmbeddedGateway, type GatewayOptions } from "./EmbeddedGateway.ts"
export { loadScript, play, readScript, type Script, type Step } from "./Script.ts"
export type { Invoked } from "./tools.ts"
export type { Row } from "./Transcripts.ts"
