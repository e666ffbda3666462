/** Limits of a process: which one is met and when, in virtual time; then what a process that meets one comes to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Work } from "../../src/domain/Skill.ts"
import { type Limits, limitMet } from "../../src/layers/Limits.ts"
import { psResidentBytes, residentBytes } from "../../src/layers/platform.ts"
import { Process } from "../../src/layers/Process.ts"
import { performModule } from "../../src/layers/SkillHost.ts"
import { performProcess } from "../../src/layers/SkillProcess.ts"
import type { Steps } from "../../src/layers/Steps.ts"
import { definition, facts, folder, living, program, until } from "./children.ts"
import { remembered } from "./remembered.ts"

/** Passes time second by second, `each` before every one; gives which limit was met, and after how many seconds. */
const watch = (limits: Partial<Limits>, { seconds = 600, sign = () => "", resident = () => 0, each = (_second: number) => {} }) =>
  Effect.gen(function* () {
    const watching = yield* Effect.forkChild(
      limitMet({ timeoutMs: 600_000, ...limits }, sign, () => Effect.sync(resident)),
      {
        startImmediately: true
      }
    )
    for (let second = 1; second <= seconds; second++) {
      each(second)
      yield* TestClock.adjust("1 second")
      if (watching.pollUnsafe() !== undefined) return { ...(yield* Fiber.join(watching)), second }
    }
    return yield* Effect.as(Fiber.interrupt(watching), undefined)
  })

describe("silence", () => {
  it.effect("is met when nothing was heard for so long, and before the timeout", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* watch({ silenceMs: 60_000 }, {}), { _tag: "Silent", second: 60 })
      assert.deepStrictEqual(yield* watch({ silenceMs: 60_000, timeoutMs: 30_000 }, {}), { _tag: "TimedOut", second: 30 })
    })
  )

  it.effect("begins anew with each sign", () =>
    Effect.gen(function* () {
      let heard = 0
      const each = (second: number) => {
        if (second % 50 === 0 && second <= 300) heard++
      }
      assert.deepStrictEqual(yield* watch({ silenceMs: 60_000 }, { sign: () => String(heard), each }), { _tag: "Silent", second: 360 })
    })
  )
})

describe("memory", () => {
  it.effect("is met by two looks in a row, with what was seen last", () =>
    Effect.gen(function* () {
      const held = [9, 11, 9, 11, 10, 11, 12, 0]
      assert.deepStrictEqual(yield* watch({ memoryBytes: 10 }, { resident: () => held.shift()! }), {
        _tag: "OverMemory",
        bytes: 12,
        second: 7
      })
    })
  )

  it.effect("and silence are not limited unless it is said", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* watch({}, { seconds: 599, resident: () => 1e15 }))
    })
  )

  it.live("of processes that share theirs is counted once where it matters, and a process that is gone holds none", () =>
    Effect.gen(function* () {
      const dir = folder()
      // The shell fills itself, and its two forks share the text with it.
      const text = `x=$(head -c 40000000 /dev/zero | tr '\\0' x)\n(sleep 30; : $x) & (sleep 30; : $x) & echo $$ $! > ${dir}/pids; wait; :`
      const running = yield* Effect.forkChild(perform(text, {}, dir))
      yield* until(() => fs.existsSync(join(dir, "pids")), "the shells")
      const shells = living(join(dir, "skill.sh"))
      assert.isAtLeast(shells.length, 3)
      const members = shells.map((pid) => ({ pid }))
      const [whole, ours, none] = yield* Effect.all([
        residentBytes(members, Infinity),
        residentBytes(members, 0),
        residentBytes([{ pid: 2 ** 22 + 1 }], 0)
      ])
      assert.isAbove(whole, 120_000_000)
      if (process.platform === "linux") assert.isBelow(ours, 110_000_000)
      assert.isAbove(ours, 40_000_000)
      assert.strictEqual(none, 0)
      // What macOS is asked says the same, to the size of a page or two.
      const ps = psResidentBytes(execFileSync("ps", ["-o", "rss=", "-p", shells.join(",")], { encoding: "utf8" }))
      assert.closeTo(ps, whole, 4_000_000)
      yield* Fiber.interrupt(running)
    })
  )
})

const perform = (script: string, more: Parameters<typeof definition>[1] = {}, dir = folder()) => {
  const argv = [program(dir, "skill.sh", `#!/bin/sh\n${script}\n`)] as const
  return performProcess(definition({ _tag: "Process", argv, folder: dir }, more), facts(dir), { asked: () => 0 }, () => Effect.void).pipe(
    Effect.provide(Process.layer)
  )
}

describe("a process", () => {
  it.live("that falls silent is stopped and fails as RUN_SILENT, with its last words", () =>
    Effect.gen(function* () {
      const end = yield* perform("echo waiting for the lock >&2; exec sleep 7311", { silenceMs: 400 })
      assert.deepInclude(end, {
        _tag: "Failed",
        code: "RUN_SILENT",
        reason: "printed nothing and came to no step for 400 milliseconds: waiting for the lock",
        retryable: true
      })
      assert.deepStrictEqual(living("sleep 7311"), [])
    })
  )

  it.live("that prints, on whichever of the two, goes on", () =>
    Effect.gen(function* () {
      const script = "for n in 1 2 3 4; do echo $n; sleep 0.1; echo $n >&2; sleep 0.1; done"
      assert.deepInclude(yield* perform(script, { silenceMs: 600 }), { _tag: "Succeeded" })
    })
  )

  it.live("that takes too much memory is killed with its family, ungraciously, and fails as RUN_MEMORY with the figures", () =>
    Effect.gen(function* () {
      const hog = `process.on("SIGTERM", () => {}); const held = Buffer.alloc(150e6, 1); setInterval(() => held.length, 1000)`
      const dir = folder()
      const script = `setsid ${process.execPath} -e '${hog}' ${dir} & wait`
      const end = yield* perform(script, { memoryBytes: 100_000_000, graceMs: 60_000, timeoutMs: 60_000 }, dir)
      assert.deepInclude(end, { _tag: "Failed", code: "RUN_MEMORY", retryable: true })
      const [, held] = /^held (\d+(?:\.\d)?) MB, at most 100 MB are allowed$/.exec(end._tag === "Failed" ? end.reason : "") ?? []
      assert.isAtLeast(Number(held), 150)
      assert.deepStrictEqual(living(`setInterval(() => held.length, 1000) ${dir}`), [])
    })
  )
})

describe("what a process is started with", () => {
  const started = (work: Work, steps: Steps) =>
    Effect.gen(function* () {
      const seen: Array<Limits & { readonly asked?: (() => number) | undefined }> = []
      const processes = Layer.succeed(Process, {
        run: (spec) => {
          seen.push(spec)
          return Effect.succeed({ _tag: "Silent" } as const)
        },
        follow: () => Effect.die("nobody asks"),
        terminate: () => Effect.void,
        survivors: () => Effect.die("nobody asks")
      })
      const skill = definition(work, { timeoutMs: 1, silenceMs: 2, memoryBytes: 3 })
      const perform = work._tag === "Module" ? performModule : performProcess
      yield* Effect.provide(
        perform(skill, facts(folder()), steps, () => Effect.void),
        processes
      )
      return seen[0]!
    })

  it.live("are the skill's limits, and the steps that it comes to as signs of life", () =>
    Effect.gen(function* () {
      const works: ReadonlyArray<Work> = [
        { _tag: "Process", argv: ["true"], folder: folder() },
        { _tag: "Module", file: "./skill.ts", folder: folder() }
      ]
      for (const work of works) {
        const steps = remembered().attempt()
        const { asked, ...limits } = yield* started(work, steps)
        assert.deepInclude(limits, { timeoutMs: 1, silenceMs: 2, memoryBytes: 3 })
        yield* steps.begin("one")
        assert.strictEqual(asked?.(), 1)
      }
    })
  )
})
