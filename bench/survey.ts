/** Reads the state directory named on the command line once, and says how long it took and the most memory it held. */
import * as Effect from "effect/Effect"
import { Disk } from "../src/layers/Disk.ts"
import { survey } from "../src/layers/Recovery.ts"

const startedAt = performance.now()
const { proven, unproven } = await Effect.runPromise(survey(process.argv[2]!).pipe(Effect.provide(Disk.layerNode)))
const ms = performance.now() - startedAt
console.log(JSON.stringify({ ms, megabytes: process.resourceUsage().maxRSS / 1_024, records: proven.seq + unproven.length }))
