/** Endings of attempts that need a machine in trouble: each has its own code. The others are in Process, SkillHost and Limits. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { onTestFinished } from "vitest"
import type { AttemptEnd } from "../../src/domain/Attempt.ts"
import { endings } from "../../src/domain/Ending.ts"
import { Process } from "../../src/layers/Process.ts"
import { performModule } from "../../src/layers/SkillHost.ts"
import { performProcess } from "../../src/layers/SkillProcess.ts"
import { refusal, spawnFailed } from "../../src/layers/spawn.ts"
import { controlGroup, limitFile, noControlGroup } from "../cgroups.ts"
import { definition, facts, fixture, folder } from "./children.ts"
import { remembered } from "./remembered.ts"

/** What attempts come to that are made inside of a group. */
const endsIn = (controller: "memory" | "pids", limit: string): ReadonlyArray<AttemptEnd> => {
  const group = controlGroup(controller)
  onTestFinished(() => group.remove())
  writeFileSync(limitFile(group, controller), limit)
  const args = ["--conditions=holdfast-source", fixture("limited.ts"), group.folder, folder()]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  assert.match(stdout, /^\[/, stderr)
  return JSON.parse(stdout) as ReadonlyArray<AttemptEnd>
}

it.skipIf(noControlGroup("memory") !== undefined)(
  "what the kernel ends for want of memory is RUN_OOM, also below a shell; what another ends is not",
  () => {
    const [direct, below, other] = endsIn("memory", "300000000")
    for (const end of [direct, below]) assert.deepInclude(end, { _tag: "Failed", code: "RUN_OOM", retryable: true })
    assert.deepInclude(other, { _tag: "Failed", code: "RUN_SIGNAL" })
  }
)

it.skipIf(noControlGroup("pids") !== undefined)("a start for which there is no room is RUN_SPAWN_EAGAIN, to be tried again", () => {
  const [end] = endsIn("pids", "max")
  assert.deepInclude(end, { _tag: "Failed", code: "RUN_SPAWN_EAGAIN", retryable: true })
})

it.effect("what outlives KILL is RUN_LEFT_CHILDREN, whatever the module said before", () =>
  Effect.gen(function* () {
    const processes = Layer.succeed(Process, {
      run: () => Effect.succeed({ _tag: "LeftChildren", pids: [4711, 4712] } as const),
      follow: () => Effect.die("nobody asks"),
      terminate: () => Effect.void,
      survivors: () => Effect.die("nobody asks")
    })
    const [file, directory] = ["./skill.ts", folder()]
    const steps = remembered().attempt()
    const spawned = () => Effect.void
    for (const end of yield* Effect.all([
      performProcess(definition({ _tag: "Process", argv: ["true"], folder: directory }), facts(directory), steps, spawned),
      performModule(definition({ _tag: "Module", file, folder: directory }), facts(directory), steps, spawned)
    ]).pipe(Effect.provide(processes)))
      assert.deepInclude(end, { code: "RUN_LEFT_CHILDREN", reason: "processes 4711, 4712 could not be stopped", retryable: false })
  })
)

it("every refusal of a start is an ending of its own, and tried again only where the machine was short of something", () => {
  const passing = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ETXTBSY"]
  for (const code of [...passing, "ENOENT", "EACCES", "ENOEXEC", "E2BIG"]) {
    const refused = spawnFailed({ argv: ["tool"], cwd: "/" }, Object.assign(new Error(code), { code }))
    assert.strictEqual(refusal(refused.code), `RUN_SPAWN_${code}`)
    assert.strictEqual(endings[refusal(refused.code)].retried, passing.includes(code) ? "yes" : "no", code)
  }
  const odd = spawnFailed({ argv: ["tool"], cwd: "/" }, Object.assign(new Error("ELOOP"), { code: "ELOOP" }))
  assert.strictEqual(refusal(odd.code), "RUN_SPAWN")
  assert.strictEqual(odd.got, "ELOOP")
})
