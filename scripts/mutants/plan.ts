/** Broken promises of what is said of outages that have not happened. */
import { type Mutant, one } from "./mutant.ts"

const foresee = "test/testing/foresee.test.ts"
const typed = "test/cli/outages.test.ts"
const world = "src/testing/outage/foresee.ts"
const outage = "src/testing/outage/Outage.ts"
const link = "src/testing/outage/outageLink.ts"
const fate = "src/domain/SlotFate.ts"

export const planMutants: ReadonlyArray<Mutant> = [
  one("a planned loss of the gateway leaves the session", outage, ` || (part === "session" && what === "gateway")`, "", foresee),
  one("a planned outage never ends", outage, "atMs < toMs && ", "", foresee),
  one(
    "a planned link is silent about a loss from before it",
    link,
    `if (!told && isLost(outages, "session", nowMs))`,
    "if (told)",
    foresee
  ),
  one("a planned stop cuts runs off at once", world, "world.runtime.drain", "world.runtime.stop", foresee),
  one("a plan forgets pauses", world, "...(paused === undefined ?", "...(paused !== undefined || paused === undefined ?", foresee),
  one(
    "a plan forgets which skills are put aside",
    world,
    "...(quarantined === undefined\n",
    "...(quarantined === undefined || true\n",
    foresee
  ),
  one("planned runs take no time of their own", world, "record.last?.settled?.durationMs ?? usualMs", "usualMs", foresee),
  one("a slot in the middle of a planned outage waits for ever", fate, "slot <= slotMs && slotMs <= through", "slot === slotMs", foresee),
  one("a planned run that is cut off is told as if it went on", fate, "...again.map(", "...again.slice(1).map(", foresee),
  one(
    "a skill that begins after its slot is planned to be late",
    fate,
    "lateMs - delayMs > missedAfterMs",
    "lateMs > missedAfterMs",
    foresee
  ),
  one("a plan blames the run before for an outage", fate, "claimedAtMs - slotMs - delayMs > missedAfterMs", "claimedAtMs < 0", foresee),
  one(
    "an outage is planned for the night that is over",
    "src/cli/moment.ts",
    "next.setDate(next.getDate() + 1)",
    "next.setDate(next.getDate())",
    typed
  ),
  one("an outage that ends before it begins is planned", "src/cli/outages.ts", "if (toMs <= fromMs)", "if (toMs < fromMs)", typed),
  one("an outage that the plan does not see is planned", "src/cli/outages.ts", "toMs <= planFromMs || ", "", typed)
]
