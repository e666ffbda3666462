/** Broken promises of what is told of a slot. */
import { type Mutant, one } from "./mutant.ts"

const story = "test/domain/SlotStory.test.ts"
const file = "src/domain/SlotStory.ts"

export const whyMutants: ReadonlyArray<Mutant> = [
  one("a slot in the middle of a range has no record", file, "slot <= slotMs && slotMs <= through", "slot === slotMs", story),
  one(
    "today's schedule is told of every time",
    file,
    "terms.findLast((one) => one.fromMs < atMs && slotOf(one) !== undefined)",
    "terms.at(-1)",
    story
  ),
  one(
    "nobody says that a start decided",
    file,
    "event.atMs > slotMs && event.atMs <= settledAtMs",
    "event.atMs > slotMs && event.atMs < 0",
    story
  ),
  one("what went with the history waits for ever", file, "slotMs <= (kept?.settledThroughMs ?? 0)", "slotMs < 0", story),
  one("the mode of now is told of then", file, "runtime.filter((event) => event.atMs <= slotMs)", "runtime", story)
]
