/** Every machine of Holdfast. Their modes, tags and events are a contract; their inner states may change. */
export { gatewayMachine } from "./gateway.ts"
export { type Firing, type Guarantee, guarantees, type Mode } from "./guarantees.ts"
export { outboxMachine } from "./outbox.ts"
export { runMachine } from "./run.ts"
export { linkOf, modeOf, type RuntimeEnd, type RuntimeEvent, runtimeMachine, type RuntimeSnapshot } from "./runtime.ts"
export { type LostReason, sessionMachine } from "./session.ts"
export { skillMachine } from "./skill.ts"
export { supervisorMachine } from "./supervisor.ts"
