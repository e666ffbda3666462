import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { explain } from "../../src/domain/Errors.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { hold, owner } from "../../src/layers/Lock.ts"
import { parseProcStat, parsePs, processIdentity } from "../../src/layers/platform.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-lock-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))
const folder = () => fs.mkdtempSync(join(base, "t-"))

const holding = <A, E, R>(directory: string, work: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(hold(directory, "1.2.3"), work)).pipe(Effect.provide(Disk.layerNode))

/** A holder in a process of its own; resolves once it holds. */
const holder = (directory: string) =>
  new Promise<ReturnType<typeof spawn>>((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "lockHolder.ts"), directory], { stdio: ["ignore", "pipe", "inherit"] })
    child.stdout.once("data", () => resolve(child))
    child.once("exit", (code) => reject(new Error(`the holder left with ${code}`)))
  })

const ended = (child: ReturnType<typeof spawn>) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once("exit", () => resolve())
  })

describe("the lock", () => {
  it.live("is refused while held, naming pid, since and what to do, and free after", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* holding(
        directory,
        Effect.gen(function* () {
          const refused = yield* Effect.flip(holding(directory, Effect.void))
          assert.deepInclude({ ...refused }, { _tag: "LockHeld", code: "LOCK_HELD", where: directory })
          assert.match(explain(refused as never), new RegExp(`pid ${process.pid} on \\S+ since \\d{4}-.*Z[^]*kill ${process.pid}`))
          assert.strictEqual((yield* Effect.flip(holding(directory, Effect.void)))._tag, "LockHeld", "a refusal frees nothing")
        })
      )
      yield* holding(directory, Effect.void)
    })
  )

  it.live("works for two directories in one process", () =>
    Effect.gen(function* () {
      const [one, two] = [folder(), folder()]
      yield* holding(
        one,
        holding(
          two,
          Effect.gen(function* () {
            assert.strictEqual((yield* Effect.flip(holding(one, Effect.void)))._tag, "LockHeld")
            assert.strictEqual((yield* Effect.flip(holding(two, Effect.void)))._tag, "LockHeld")
          })
        )
      )
    })
  )

  it.live("says who holds it beside the lock folder, 0600, until it is released", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* holding(
        directory,
        Effect.gen(function* () {
          const known = yield* owner(directory)
          const identity = yield* processIdentity(process.pid)
          assert.deepInclude({ ...known }, { pid: process.pid, startTime: identity!.startTime, bootId: identity!.bootId, version: "1.2.3" })
          const mode = (path: string) => fs.statSync(join(directory, path)).mode & 0o777
          assert.deepStrictEqual([mode("owner.json"), mode("lock/lock.db"), mode("lock")], [0o600, 0o600, 0o700])
          assert.isTrue(fs.readdirSync(join(directory, "lock")).every((name) => name.startsWith("lock.db")))
          assert.deepStrictEqual(fs.readdirSync(directory).sort(), ["lock", "owner.json"])
        })
      )
      assert.isUndefined(yield* owner(directory).pipe(Effect.provide(Disk.layerNode)))
    })
  )

  it.live(
    "is held by a process that is stopped, and free as soon as its holder was killed",
    () =>
      Effect.gen(function* () {
        const directory = folder()
        const child = yield* Effect.promise(() => holder(directory))
        yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
        child.kill("SIGSTOP")
        const refused = yield* Effect.flip(holding(directory, Effect.void))
        assert.deepInclude({ ...refused }, { _tag: "LockHeld" })
        assert.include(explain(refused as never), `pid ${child.pid}`)
        child.kill("SIGKILL")
        yield* Effect.promise(() => ended(child))
        yield* holding(
          directory,
          Effect.gen(function* () {
            assert.strictEqual((yield* owner(directory))?.pid, process.pid, "the dead holder's name is replaced")
          })
        )
      }).pipe(Effect.scoped),
    30_000
  )

  it.live("names a lock file that is none, and leaves it alone", () =>
    Effect.gen(function* () {
      const directory = folder()
      fs.mkdirSync(join(directory, "lock"))
      fs.writeFileSync(join(directory, "lock", "lock.db"), "this is somebody's diary, not a database at all".repeat(50))
      const refused = yield* Effect.flip(holding(directory, Effect.void))
      assert.deepInclude({ ...refused }, { _tag: "StateUnusable", code: "LOCK_UNUSABLE" })
      assert.include(fs.readFileSync(join(directory, "lock", "lock.db"), "utf8"), "diary")
    })
  )
})

describe("the identity of a process", () => {
  it.live("is the same at each look, and another for another process", () =>
    Effect.gen(function* () {
      const mine = yield* processIdentity(process.pid)
      assert.deepStrictEqual(yield* processIdentity(process.pid), mine)
      assert.strictEqual(mine?.pid, process.pid)
      assert.notStrictEqual((yield* processIdentity(process.ppid))?.startTime, mine?.startTime)
    })
  )

  it.live("is nothing for a number nobody has, and for no number at all", () =>
    Effect.gen(function* () {
      for (const pid of [0, -1, 1.5, NaN, 2 ** 30]) assert.isUndefined(yield* processIdentity(pid))
    })
  )

  it.live("is nothing for a zombie, whatever signal 0 says", () =>
    Effect.gen(function* () {
      if (process.platform !== "linux") return
      // The shell becomes a `sleep` that reaps nobody while its child still lives, so that the child ends as a zombie.
      const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] })
      yield* Effect.addFinalizer(() => Effect.sync(() => parent.kill("SIGKILL")))
      const pid = Number(
        yield* Effect.promise(() => new Promise<string>((resolve) => parent.stdout.once("data", (data) => resolve(String(data)))))
      )
      const zombie = Effect.sync(() => parseProcStat(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.state === "Z")
      for (let i = 0; i < 1000 && !(yield* zombie); i++) yield* Effect.sleep(5)
      assert.isTrue(yield* zombie)
      assert.isTrue(process.kill(pid, 0))
      assert.isUndefined(yield* processIdentity(pid))
    }).pipe(Effect.scoped)
  )

  it("is read past spaces and parentheses in a program's name", () => {
    const rest = "S 1 2 3 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 11 0 998877 1 2"
    for (const comm of ["node", "a b", "x) S 1 (y", ")", "((("]) {
      assert.deepStrictEqual(parseProcStat(`42 (${comm}) ${rest}`), { state: "S", startTime: "998877" })
    }
    assert.isUndefined(parseProcStat(""))
    assert.isUndefined(parseProcStat("42 (node) S 1"))
  })

  it("is read from what macOS prints", () => {
    assert.deepStrictEqual(parsePs("Sun Nov 22 06:00:03 2026     Ss+ \n"), { state: "Ss+", startTime: "Sun Nov 22 06:00:03 2026" })
    assert.isUndefined(parsePs(""))
  })
})
