/** Broken promises of attempts whose processes outlive the runtime. */
import { type Mutant, one } from "./mutant.ts"

const real = "test/failures/survivors.test.ts"
const start = "test/layers/Adoption.test.ts"
const run = "test/machines/run.test.ts"
const skill = "test/machines/skill.test.ts"
const processes = "test/layers/Process.test.ts"
const steps = "test/layers/Steps.test.ts"
const checkers = "test/testing/checkers.test.ts"

export const survivorMutants: ReadonlyArray<Mutant> = [
  one("a survivor is adopted that its skill does not want", "src/layers/Adoption.ts", `skill?.onRuntimeDeath !== "adopt" || `, "", real),
  one("a survivor is adopted that nobody watches", "src/layers/Adoption.ts", " || !watched", "", start),
  one(
    "a survivor is known by its number alone",
    "src/layers/platform.ts",
    "living?.startTime === startTime && living.bootId === bootId",
    "living !== undefined && startTime + bootId !== undefined",
    start,
    processes
  ),
  one("a survivor is known without its boot", "src/layers/platform.ts", " && living.bootId === bootId", " && bootId !== undefined", start),
  one(
    "an answer that was left counts for nothing",
    "src/layers/Adoption.ts",
    `alive || typeof answerLeft(directoryOf(store, run)) === "object"`,
    "alive",
    real
  ),
  one(
    "who ended without an answer is adopted",
    "src/layers/Adoption.ts",
    `alive || typeof answerLeft(directoryOf(store, run)) === "object"`,
    "alive || true",
    real
  ),
  one(
    "that an attempt was adopted is on no record",
    "src/layers/Adoption.ts",
    "...adopted.map((",
    "...adopted.slice(adopted.length).map((",
    real
  ),
  one("the run is tried again beside its survivor", "src/machines/run.ts", `{ guard: "survives", target: "adopting" },`, "", run),
  one(
    "an adopted attempt is counted as a new one",
    "src/machines/run.ts",
    `adopting: { ...underWay,`,
    `adopting: { ...underWay, entry: "countAttempt",`,
    run
  ),
  one(
    "a cancel of an adopted attempt is a defect",
    "src/machines/run.ts",
    `or([stateIn({ executing: "cancelling" }), stateIn({ adopting: "cancelling" })])`,
    `or([stateIn({ executing: "cancelling" })])`,
    run
  ),
  one(
    "a closed gate keeps a survivor unwatched",
    "src/machines/skill.ts",
    "cancelled !== undefined || survives === true",
    "cancelled !== undefined",
    skill
  ),
  one(
    "another run begins beside a survivor",
    "src/machines/skill.ts",
    "(started.includes(run) || survives === true)",
    "started.includes(run)",
    skill
  ),
  one(
    "an adopted attempt has its whole time anew",
    "src/layers/SkillProcess.ts",
    "timeoutMs: leftMs",
    "timeoutMs: leftMs + timeoutMs",
    real
  ),
  one(
    "an adopted attempt has no timeout",
    "src/layers/Process.ts",
    'Effect.as(sleepLong(timeoutMs), { _tag: "TimedOut" } as const)\n      )\n    })\n  )\n  return left.length === 0 ? end : { _tag: "LeftChildren", pids: left }\n})\n\n/**',
    'Effect.never\n      )\n    })\n  )\n  return left.length === 0 ? end : { _tag: "LeftChildren", pids: left }\n})\n\n/**',
    real
  ),
  one(
    "an end without an answer is a success",
    "src/layers/SkillProcess.ts",
    `typeof answer === "object") return { _tag: "Succeeded", ...answer }\n  const reason`,
    `typeof answer !== "string") return { _tag: "Succeeded", fields: {}, summary: undefined, ...answer }\n  const reason`,
    real
  ),
  one(
    "an end that is unknown is tried again whatever the skill says",
    "src/layers/SkillProcess.ts",
    `onInterruption === "record" ?`,
    `onInterruption === undefined ?`,
    real
  ),
  one(
    "what a survivor prints is not bounded",
    "src/layers/Process.ts",
    "takeOverOutput(`${directory}/${name}`, secrets)",
    "Effect.void",
    real
  ),
  one("the group of a survivor outlives it", "src/layers/Process.ts", "new Set(ours ? [known.pid] : [])", "new Set<number>()", processes),
  one("a stranger's group is signalled", "src/layers/Process.ts", "new Set(ours ? [known.pid] : [])", "new Set([known.pid])", processes),
  one(
    "a step that was under way cannot be finished",
    "src/layers/Steps.ts",
    "begun.get(step) ?? inherited(step, by)",
    "begun.get(step)",
    steps,
    real
  ),
  one(
    "a step is finished again by an adopted attempt",
    "src/layers/Steps.ts",
    `known === "started" ? { _tag: "Execute", key:`,
    `true ? { _tag: "Execute", key:`,
    steps
  ),
  one("an adopted attempt is held to its own steps", "src/layers/StepHistory.ts", " && !adopted", "", steps),
  one(
    "a step that is asked for early is refused",
    "src/layers/Run.ts",
    "yield* expected.get(run)?.await ?? Effect.void",
    "",
    "test/layers/Run.test.ts"
  ),
  one(
    "a module may be adopted",
    "src/domain/SkillFile.ts",
    `settings.onRuntimeDeath !== "adopt" ||`,
    "true ||",
    "test/layers/Skills.test.ts"
  ),
  one(
    "checkers see no adoption of what is under way",
    "src/testing/checkers/runs.ts",
    "adopted while it was under way`)\n        run.executing = true",
    "adopted while it was under way`)",
    checkers
  ),
  one(
    "checkers see no adoption of an older attempt",
    "src/testing/checkers/runs.ts",
    "event.attempt !== run.attempts)",
    "event.attempt > run.attempts + 9)",
    checkers
  )
]
