/** Outages that have not happened, lived through in virtual time. */
export { type Foresight, type ForesightOptions, foresee } from "./foresee.ts"
export { isLost, type Outage, type Part, parts } from "./Outage.ts"
