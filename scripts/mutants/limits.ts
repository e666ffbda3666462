/** Broken promises of what ends an attempt, what its ending is called, and how its processes are found. */
import { type Mutant, one } from "./mutant.ts"

const limits = "test/layers/Limits.test.ts"
const endings = "test/layers/endings.test.ts"
const census = "test/layers/Census.test.ts"
const real = "test/layers/Process.test.ts"

export const limitsMutants: ReadonlyArray<Mutant> = [
  one(
    "limits: a sign of life does not end a silence",
    "src/layers/Limits.ts",
    "quietMs = now === last ? quietMs + pauseMs : 0",
    "quietMs += pauseMs",
    limits
  ),
  one("limits: what is printed is no sign of life", "src/layers/Process.ts", ", ...child.outputs.map(stateOf)", "", limits),
  one("limits: a module's step is no sign of life", "src/layers/SkillHost.ts", "asked: steps.asked", "asked: () => 0", limits),
  one(
    "limits: a step's end is no sign of life",
    "src/layers/Steps.ts",
    "    asked++\n    if (!open) return yield* notExecuting(run, attempt)\n    const problem",
    "    if (!open) return yield* notExecuting(run, attempt)\n    const problem",
    "test/layers/Steps.test.ts"
  ),
  one("limits: one look over the memory is enough", "src/layers/Limits.ts", "over === 2", "over === 1", limits),
  one("limits: peaks far apart add up", "src/layers/Limits.ts", "? over + 1 : 0", "? over + 1 : over", limits),
  one("limits: who takes too much memory gets a grace", "src/layers/Process.ts", `if (end._tag === "OverMemory") graceMs = 0`, "", limits),
  one(
    "limits: a process that left the group takes what it likes",
    "src/layers/platform.ts",
    "groups.has(group) || (directory !== undefined && directories.has(directory))",
    "groups.has(group) && (directory === undefined || directories.has(directory))",
    limits
  ),
  one(
    "limits: shared memory is counted twice",
    "src/layers/platform.ts",
    "if (whole <= limit) return whole",
    "if (whole > 0) return whole",
    limits
  ),
  one(
    "limits: a skill given in code may say what nobody looks at",
    "src/domain/SkillFile.ts",
    `folder === "" ? (["silence"`,
    `folder === "-" ? (["silence"`,
    "test/failures/bad-input-runtime.test.ts"
  ),
  one("endings: every KILL is the kernel's", "src/layers/Process.ts", "(yield* outOfMemoryKills) !== killsBefore", "true", real, endings),
  one("endings: no KILL is the kernel's", "src/layers/Process.ts", "(yield* outOfMemoryKills) !== killsBefore", "false", endings),
  one("endings: 137 is an exit like any other", "src/layers/Process.ts", "end.code === 137", "end.code === 139", endings),
  one(
    "endings: an answer that was deleted with its folder is a success",
    "src/layers/SkillProcess.ts",
    "if (isDeleted(facts.directory))",
    "if (false as boolean)",
    real
  ),
  one(
    "endings: a skill is blamed for a disk that is away",
    "src/layers/SkillProcess.ts",
    " && fs.existsSync(dirname(directory))",
    "",
    "test/failures/disk-trouble.test.ts"
  ),
  one(
    "endings: a machine with no room for a process is not tried again",
    "src/domain/Ending.ts",
    'for one more process",\n    retried: "yes"',
    'for one more process",\n    retried: "no"',
    endings
  ),
  one(
    "endings: a code is in no document",
    "src/layers/SkillProcess.ts",
    `failed("RUN_SIGNAL"`,
    `failed("RUN_KILLED" as never`,
    "test/docs.test.ts",
    real
  ),
  one("census: each who asks has a look of its own", "src/layers/Census.ts", "if (seen.asked >= mine)", "if (seen.asked > asked)", census),
  one(
    "census: an answer is older than its question",
    "src/layers/Census.ts",
    "seen = { asked: answered,",
    "seen = { asked: answered + 1,",
    census
  ),
  one("census: it never rests", "src/layers/Census.ts", "4 * (", "0 * (", census),
  one(
    "what forks while it is killed is left alive",
    "src/layers/Process.ts",
    "alive = yield* members // Each time anew",
    "// Each time anew",
    real
  )
]
