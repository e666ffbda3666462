/** Broken promises of skills that keep failing. */
import { type Mutant, one } from "./mutant.ts"

const standing = "test/layers/Standing.test.ts"

const restarts = "test/layers/Restarts.test.ts"
const clock = "test/layers/WallClock.test.ts"

export const standingMutants: ReadonlyArray<Mutant> = [
  one(
    "a skill that keeps failing is never put aside",
    "src/domain/policies/quarantine.ts",
    "return tooMany ? ",
    "return false ? ",
    standing
  ),
  one(
    "the sixth failure is the one too many",
    "src/domain/policies/quarantine.ts",
    "failures >= failuresMax",
    "failures > failuresMax",
    standing
  ),
  one("probes are always an hour apart", "src/domain/policies/quarantine.ts", "probeFirstMs * 2 ** probes", "probeFirstMs", standing),
  one(
    "a cancelled probe counts as a failure",
    "src/domain/policies/quarantine.ts",
    'if (outcome === "cancelled") return',
    "if (false) return",
    standing
  ),
  one(
    "slots of a skill that is put aside become runs",
    "src/machines/skill.ts",
    "aside !== undefined && (aside.waits || runs.length > 0) ? aside.reason : gate.open",
    "gate.open",
    standing
  ),
  one("a probe is more than one run", "src/machines/skill.ts", "(aside.waits || runs.length > 0)", "aside.waits", standing),
  one(
    "the catch-up of a probe is a burst",
    "src/layers/Skill.ts",
    'probe && definition.catchUp === "all" ? "latest" : definition.catchUp',
    "definition.catchUp",
    standing
  ),
  one(
    "a restart forgets that a skill is put aside",
    "src/layers/Supervisor.ts",
    "gate, atOnce: atOnce(definition.overlap), aside }",
    "gate, atOnce: atOnce(definition.overlap) }",
    standing
  ),
  one(
    "a release remembers the failures",
    "src/domain/Ledger.ts",
    "          skill.probe = undefined\n          skill.failedAtMs = []\n",
    "          skill.probe = undefined\n",
    standing
  ),
  one(
    "a death with several at work blames them all",
    "src/domain/Ledger.ts",
    "atWork.size === 1 ? skill.deaths + 1 : 0",
    "skill.deaths + 1",
    standing
  ),
  one("what kills the runtime is started again", "src/machines/skill.ts", "aside.waits ? 0 : 1", "1", standing),
  one(
    "a skill that was changed waits for its probe",
    "src/layers/Adoption.ts",
    "if (sameSchedule) return [adopted(known.owedFromMs), ...probed(known, nowMs)]",
    "if (sameSchedule) return [adopted(known.owedFromMs)]",
    standing
  ),
  one(
    "a skill that is changed at work waits for its probe",
    "src/layers/Reloading.ts",
    "if (aside !== undefined) child.actor.send",
    "if (aside !== undefined && false) child.actor.send",
    standing
  ),
  one("a skill is blamed for the link", "src/layers/Standing.ts", 'if (failure === "link") return { events: [], tell }', "", standing),
  one("a loop of restarts fires", "src/layers/Runtime.ts", "count < starts.failuresMax", "true", restarts),
  one("a start that lasted is forgotten", "src/domain/Ledger.ts", "this.startsAtMs = this.startsAtMs.slice(-1)", "", restarts),
  one("a held start stays held", "src/machines/runtime.ts", 'after: { stableAfter: "#runtime.operating.intake.open" },', "", restarts),
  one(
    "a jump of the clock is not on record",
    "src/layers/Scheduler.ts",
    "if (Math.abs(byMs) > driftMs) Queue.offerUnsafe(jumps, byMs)",
    "",
    clock
  ),
  one("a jump is noticed at the next instant that is armed", "src/layers/Scheduler.ts", "Math.min(dueInMs, lookEveryMs)", "dueInMs", clock),
  one("a start begins with a clock that is not set", "src/layers/Adoption.ts", "  yield* clockIsSet(clockFromMs)\n", "", clock)
]
