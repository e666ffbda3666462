/** Broken promises that only showed beside OpenClaw itself. */
import { type Mutant, one } from "./mutant.ts"

const session = "test/layers/Session.test.ts"
const badInput = "test/failures/bad-input-runtime.test.ts"

export const openclawMutants: ReadonlyArray<Mutant> = [
  one("openclaw: a slow refusal is a silence", "src/layers/Greeting.ts", "answerMs = 10_000", "answerMs = 5_000", session),
  one("openclaw: a greeting is waited for without end", "src/layers/Greeting.ts", "answerMs = 10_000", "answerMs = 1_000_000", session),
  one("openclaw: another reason in the same mode is not shown", "src/layers/Runtime.ts", "Stream.merge(modes, reasons)", "modes", badInput)
]
