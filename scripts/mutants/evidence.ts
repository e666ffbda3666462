/** Broken promises of what a success has to leave. */
import { type Mutant, one } from "./mutant.ts"

const table = "test/domain/Evidence.test.ts"
const real = "test/layers/Evidence.test.ts"

export const evidenceMutants: ReadonlyArray<Mutant> = [
  one(
    "a success without its evidence is believed",
    "src/layers/Evidence.ts",
    "return unproven === undefined ? end : { ...end, unproven }",
    "return unproven === undefined ? end : { ...end }",
    real
  ),
  one("an unproven run is a success", "src/machines/run.ts", 'end.unproven === undefined ? "success" : "unproven"', '"success"', real),
  one(
    "a link is evidence",
    "src/layers/Evidence.ts",
    "seen.success?.link === false ? seen.success : undefined",
    "seen.success !== undefined ? seen.success : undefined",
    real
  ),
  one("a file of an earlier day is evidence", "src/domain/Evidence.ts", "modifiedAtMs < sinceMs", "modifiedAtMs < 0", table, real),
  one("an empty file is evidence", "src/domain/Evidence.ts", ": bytes === 0", ": bytes === -1", table),
  one("a field of the prototype is evidence", "src/domain/Evidence.ts", "!Object.hasOwn(fields, name)", "!(name in fields)", table)
]
