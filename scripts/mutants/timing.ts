/** Broken promises of when work begins beyond its slot. */
import { type Mutant, one } from "./mutant.ts"

const decision = "test/domain/SlotDecision.test.ts"
const worlds = "test/layers/Timing.test.ts"

export const timingMutants: ReadonlyArray<Mutant> = [
  one("a range of slots spans a day off", "src/domain/SlotDecision.ts", "...ranges.flatMap(cut)", "...ranges", decision),
  one(
    "late work begins outside of its hours",
    "src/domain/SlotDecision.ts",
    "if (opensAtMs !== undefined) return wait(",
    "if (false) return wait(",
    decision
  ),
  one("the hours end a minute early", "src/domain/Timing.ts", "&& minute <= toMinute : minute", "&& minute < toMinute : minute", decision),
  one(
    "a day off begins at midnight of Greenwich",
    "src/domain/Timing.ts",
    "return wallMs - offsetAt(zone, nearMs - hourMs)",
    "return wallMs - nearMs * 0",
    decision
  ),
  one(
    "a delay is counted as lateness",
    "src/domain/SlotDecision.ts",
    "const onTime = nowMs - timing.delayMs - open.lastMs",
    "const onTime = nowMs - open.lastMs",
    decision
  ),
  one(
    "all that a day has left is bunched",
    "src/domain/SlotDecision.ts",
    "if (beginsMs > day.nowMs) return wait(",
    "if (false) return wait(",
    decision
  ),
  one(
    "a run begins after the last hour of its day",
    "src/domain/SlotDecision.ts",
    "if (beginsMs > endsMs) return settled(",
    "if (false) return settled(",
    decision
  ),
  one(
    "slots that wait are looked at in a loop",
    "src/layers/Skill.ts",
    "const owedAtMs = input.waitUntilMs ?? next(",
    "const owedAtMs = next(",
    worlds
  ),
  one("slots that wait miss the next one", "src/layers/Skill.ts", "Math.min(decision.untilMs, nextMs)", "decision.untilMs", worlds),
  one("a run that waited too long begins", "src/layers/Run.ts", "if (tooLate !== undefined) return tooLate", "", worlds),
  one("an outage ends in a storm", "src/domain/SlotDecision.ts", "if (turnAtMs > nowMs) return wait(", "if (false) return wait(", worlds),
  one("a turn is asked for again and again", "src/layers/Ramp.ts", "else turns.set(skill, atMs)", "", worlds)
]
