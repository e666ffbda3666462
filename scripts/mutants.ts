/**
 * Breaks the promises of the design on purpose, one at a time, and says which tests notice: `npm run mutants [-- NAME ...]`.
 *
 * Each mutant is made in a copy of the tree under the temporary folder and judged by the tests named beside it. One that
 * survives ends the command with 1, and so does one whose place in the code is no longer there. One whose tests were all
 * skipped, such as those that cut the power where nobody is root, is neither.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { adapterMutants } from "./mutants/adapter.ts"
import { approvalMutants } from "./mutants/approval.ts"
import { badGatewayMutants } from "./mutants/badGateway.ts"
import { backfillMutants } from "./mutants/backfill.ts"
import { backlogMutants } from "./mutants/backlog.ts"
import { dayMutants } from "./mutants/days.ts"
import { deviceMutants } from "./mutants/device.ts"
import { evidenceMutants } from "./mutants/evidence.ts"
import { importMutants } from "./mutants/import.ts"
import { inputMutants } from "./mutants/input.ts"
import { journalMutants } from "./mutants/journal.ts"
import { ledgerMutants } from "./mutants/ledger.ts"
import { limitsMutants } from "./mutants/limits.ts"
import { linkMutants } from "./mutants/link.ts"
import { lockMutants } from "./mutants/lock.ts"
import type { Mutant } from "./mutants/mutant.ts"
import { standingMutants } from "./mutants/standing.ts"
import { timingMutants } from "./mutants/timing.ts"
import { openclawMutants } from "./mutants/openclaw.ts"
import { overlapMutants } from "./mutants/overlap.ts"
import { chainMutants } from "./mutants/chain.ts"
import { poolMutants } from "./mutants/pools.ts"
import { pauseMutants } from "./mutants/pause.ts"
import { planMutants } from "./mutants/plan.ts"
import { promptMutants } from "./mutants/prompt.ts"
import { publicMutants } from "./mutants/public.ts"
import { realMutants } from "./mutants/real.ts"
import { reloadMutants } from "./mutants/reload.ts"
import { secretMutants } from "./mutants/secrets.ts"
import { simulatedMutants } from "./mutants/simulated.ts"
import { skillFolderMutants } from "./mutants/skillFolder.ts"
import { survivorMutants } from "./mutants/survivors.ts"
import { timeMutants } from "./mutants/time.ts"
import { troubleMutants } from "./mutants/trouble.ts"
import { wayMutants } from "./mutants/ways.ts"
import { watchMutants } from "./mutants/watch.ts"
import { whyMutants } from "./mutants/why.ts"

const supervisorInvoke = `      invoke: {
        id: "supervisor",
        src: "supervisor",
        onError: { target: "failed", actions: { type: "noteFailure", params: ({ event }) => String(event.error) } }
      },
`
const walk = ["test/machines/runtime.test.ts"]
const steps = ["test/layers/Steps.test.ts"]
const stepHistories = ["test/layers/StepHistory.test.ts"]
const histories = ["test/failures/link-history.test.ts"]

const mutants: ReadonlyArray<Mutant> = [
  ...journalMutants,
  ...ledgerMutants,
  ...backlogMutants,
  ...wayMutants,
  ...linkMutants,
  ...lockMutants,
  ...simulatedMutants,
  ...realMutants,
  ...troubleMutants,
  ...overlapMutants,
  ...timingMutants,
  ...standingMutants,
  ...poolMutants,
  ...chainMutants,
  ...pauseMutants,
  ...backfillMutants,
  ...reloadMutants,
  ...watchMutants,
  ...deviceMutants,
  ...adapterMutants,
  ...whyMutants,
  ...openclawMutants,
  ...planMutants,
  ...timeMutants,
  ...dayMutants,
  ...evidenceMutants,
  ...promptMutants,
  ...secretMutants,
  ...approvalMutants,
  ...skillFolderMutants,
  ...inputMutants,
  ...importMutants,
  ...publicMutants,
  ...limitsMutants,
  ...badGatewayMutants,
  ...survivorMutants,
  {
    name: "the supervisor is invoked below a mode of the link",
    edits: [
      { file: "src/machines/runtime.ts", find: supervisorInvoke, put: "" },
      {
        file: "src/machines/runtime.ts",
        find: `              meta: promise("connected"),\n`,
        put: `              meta: promise("connected"),\n              invoke: { id: "supervisor", src: "supervisor" },\n`
      }
    ],
    tests: walk
  },
  {
    name: "a lost gateway enters operating anew",
    edits: [
      {
        file: "src/machines/runtime.ts",
        find: `            "gateway.lost": { actions: {`,
        put: `            "gateway.lost": { target: "#runtime.operating", reenter: true, actions: {`
      }
    ],
    tests: walk
  },
  {
    name: "the skills' scope is the session's",
    edits: [
      {
        file: "src/layers/Runtime.ts",
        find: `supervisor: fromEffect(({ self }) => supervisor.work(self)),`,
        put: `supervisor: fromEffect(({ self }) => Effect.forever(Effect.scoped(Effect.raceFirst(supervisor.work(self), session.changes.pipe(
      Stream.dropWhile((state) => state._tag === "NotConnected"), Stream.filter((state) => state._tag === "NotConnected"), Stream.runHead
    ))))),`
      },
      {
        file: "src/layers/Runtime.ts",
        find: `  const run = yield* Run\n`,
        put: `  const run = yield* Run\n  const session = yield* SessionLayer.Session\n`
      }
    ],
    tests: histories
  },
  {
    name: "the gateway is asked between slot and record",
    edits: [
      {
        file: "src/layers/Skill.ts",
        find: `  const claims = yield* Claims\n`,
        put: `  const claims = yield* Claims\n  yield* Effect.ignore(Effect.flatMap(Session, (session) => session.call("health", {})))\n`
      },
      {
        file: "src/layers/Skill.ts",
        find: `import { Claims } from "./Claims.ts"\n`,
        put: `import { Claims } from "./Claims.ts"\nimport { Session } from "./Session.ts"\n`
      }
    ],
    tests: histories
  },
  {
    name: "the status file is written before the run is settled",
    edits: [
      {
        file: "src/layers/Run.ts",
        find: `  yield* store.append({ ...settled, report }, ...events)`,
        put: `  yield* store.view(\`skills/status/\${definition.name}.txt\`, "status=success,timestamp=now\\n")\n  yield* store.append({ ...settled, report }, ...events)`
      }
    ],
    tests: ["test/layers/Skill.test.ts", "test/layers/Run.test.ts"]
  },
  {
    name: "a report is sent again without reading the transcript",
    edits: [
      {
        file: "src/layers/Outbox.ts",
        find: `    if (entry.via === undefined && entry.sent !== undefined && run !== absent) return { _tag: "Ambiguous", run }\n`,
        put: ""
      }
    ],
    tests: ["test/layers/Outbox.test.ts", ...histories]
  },
  {
    name: "the transcript is read once instead of twice",
    edits: [
      {
        file: "src/layers/Outbox.ts",
        find: `Effect.andThen(Effect.sleep(readingsApartMs), stands)`,
        put: `Effect.succeed(false)`
      }
    ],
    tests: ["test/layers/Outbox.test.ts"]
  },
  {
    name: "an attempt starts before it is on record",
    edits: [
      {
        file: "src/layers/Run.ts",
        find: `        yield* store.append({ type: "attempt.started", run: input.run, attempt: input.attempt })\n`,
        put: ""
      }
    ],
    tests: ["test/layers/Skill.test.ts"]
  },
  {
    name: "a recorded step is done again",
    edits: [
      {
        file: "src/layers/Steps.ts",
        find: `if (known !== undefined && known !== "started")`,
        put: `if (false as boolean && known !== undefined && known !== "started")`
      }
    ],
    tests: ["test/layers/Skill.test.ts"]
  },
  {
    name: "a step begins that is not on record",
    edits: [{ file: "src/layers/Steps.ts", find: `    yield* store.append({ type: "step.started", run, attempt, step })\n`, put: "" }],
    tests: steps
  },
  {
    name: "a finished step is answered for before it is on record",
    edits: [{ file: "src/layers/Steps.ts", find: `yield* (mine.finished ??= finished)`, put: `void (mine.finished ??= finished)` }],
    tests: steps
  },
  {
    name: "the key of a step changes with the attempt",
    edits: [{ file: "src/layers/Steps.ts", find: "key: `${run}/${step}` }\n  })", put: "key: `${run}/${step}/${attempt}` }\n  })" }],
    tests: steps
  },
  {
    name: "steps are taken of an attempt that is over",
    edits: [{ file: "src/layers/Steps.ts", find: `      open = false\n`, put: "" }],
    tests: steps
  },
  {
    name: "steps are taken of another attempt than the one under way",
    edits: [{ file: "src/layers/Run.ts", find: `known?.attempt === attempt`, put: `known !== undefined` }],
    tests: ["test/layers/Control.test.ts"]
  },
  {
    name: "a question whose answer was lost is not asked again",
    edits: [{ file: "src/layers/ControlClient.ts", find: `answer.failure.code !== "RUNTIME_DOWN" || `, put: `true || ` }],
    tests: ["test/layers/Control.test.ts"]
  },
  {
    name: "a step under a new name is done",
    edits: [
      { file: "src/layers/StepHistory.ts", find: `if (known.has(step) || (yield* rest)) return`, put: `if ((yield* rest) || true) return` }
    ],
    tests: stepHistories
  },
  {
    name: "parallel branches are not waited for",
    edits: [{ file: "src/layers/StepHistory.ts", find: `(yield* rest)) return`, put: `missing.size === 0) return` }],
    tests: stepHistories
  },
  {
    name: "a start takes parked runs up again",
    edits: [{ file: "src/layers/Supervisor.ts", find: `run.phase === "parked" ? [] : `, put: "" }],
    tests: stepHistories
  },
  {
    name: "a parked run is tried again with nothing on record",
    edits: [
      { file: "src/layers/Parking.ts", find: `yield* StateStore.use((store) => store.append({ type: "run.released", run, by }))`, put: "" }
    ],
    tests: stepHistories
  },
  {
    name: "a hole in a step's result becomes null",
    edits: [{ file: "src/domain/StepResult.ts", find: `value[i] === undefined ? `, put: `false ? ` }],
    tests: ["test/domain/StepResult.test.ts"]
  },
  {
    name: "a new skill owes slots from before it was adopted",
    edits: [{ file: "src/layers/Adoption.ts", find: "    adopted(fromMs),", put: "    adopted(0)," }],
    tests: ["test/layers/Skill.test.ts"]
  }
]

const root = resolve(import.meta.dirname, "..")
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")
const placesOnly = process.argv.includes("--places") // Says which mutants no longer fit the code, without running any.
const asked = process.argv.slice(2).filter((word) => word !== "--places")
const chosen = mutants.filter(({ name }) => asked.length === 0 || asked.some((words) => name.includes(words)))
let [survivors, skipped] = [0, 0]

if (placesOnly) {
  const astray = chosen.flatMap(({ name, edits }) =>
    edits
      .filter(({ file, find }) => !readFileSync(join(root, file), "utf8").includes(find))
      .map(({ file }) => `MISPLACED in ${file}: ${name}`)
  )
  console.log([...astray, `${chosen.length} mutants, ${astray.length} misplaced edits`].join("\n"))
  process.exit(astray.length === 0 ? 0 : 1)
}

for (const { name, edits, tests, kills } of chosen) {
  const copy = mkdtempSync(join(tmpdir(), "holdfast-mutant-"))
  try {
    // Without the command that it starts a test would fail for that alone.
    const built = tests.some((test) => startsCommand(test)) ? ["scripts", "tsconfig.build.json"] : []
    for (const part of ["src", "test", "skills", "package.json", "tsconfig.json", "vitest.config.ts", "vitest.deep.config.ts", ...built])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
    // What an edit leaves unused is no reason not to build.
    const types = join(copy, "tsconfig.json")
    writeFileSync(types, readFileSync(types, "utf8").replaceAll(/"(noUnused\w+)": true/g, '"$1": false'))
    const deep = kills === undefined ? [] : ["-c", "vitest.deep.config.ts"]
    const misplaced = edits.find(({ file, find }) => !readFileSync(join(copy, file), "utf8").includes(find))
    for (const { file, find, put } of edits) {
      const path = join(copy, file)
      writeFileSync(
        path,
        readFileSync(path, "utf8").replace(find, () => put)
      )
    }
    const judged =
      misplaced === undefined
        ? spawnSync(process.execPath, [vitest, "run", ...deep, "--reporter=json", "--outputFile=report.json", ...tests], {
            cwd: copy,
            encoding: "utf8",
            env: { ...process.env, HOLDFAST_DEEP_KILLS: String(kills ?? 0), HOLDFAST_DEEP_SEED: "1" }
          })
        : undefined
    const noticed = judged === undefined ? [] : named("failed", join(copy, "report.json"))
    const unasked = judged !== undefined && named("passed", join(copy, "report.json")).length + noticed.length === 0
    if (unasked) skipped += 1
    else if (noticed.length === 0) survivors += 1
    const verdict =
      misplaced !== undefined ? `MISPLACED in ${misplaced.file}` : unasked ? "skipped" : noticed.length > 0 ? "caught" : "SURVIVED"
    console.log(`${verdict.padEnd(9)} ${name}`)
    for (const test of noticed.slice(0, 3)) console.log(`          by: ${test}`)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
console.log(`\n${chosen.length - survivors - skipped} of ${chosen.length} mutants caught${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exitCode = survivors === 0 ? 0 : 1

/** Whether a test, or what it imports of the tests, starts the built command, which the copy then builds first. */
function startsCommand(test: string, seen = new Set<string>()): boolean {
  if (test === "test/built.ts") return true
  if (seen.has(test) || !test.startsWith("test/") || !existsSync(join(root, test))) return false
  seen.add(test)
  const imports = readFileSync(join(root, test), "utf8").matchAll(/from "(\.[^"]+)"/g)
  return [...imports].some(([, path]) => startsCommand(join(dirname(test), path!), seen))
}

/** The names of the tests that ended so; a file that did not even load has noticed nothing. */
function named(end: "failed" | "passed", report: string): ReadonlyArray<string> {
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    readonly testResults: ReadonlyArray<{
      readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
    }>
  }
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === end).map(({ fullName }) => fullName)
  )
}
