import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { standing } from "../../src/cli/standing.ts"
import { explain, type LockHeld } from "../../src/domain/Errors.ts"
import { backup } from "../../src/layers/Backup.ts"
import { compact } from "../../src/layers/Compaction.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { hold, owner } from "../../src/layers/Lock.ts"
import { parseProcStat, parsePs, processIdentity } from "../../src/layers/platform.ts"
import { eachSegment } from "../../src/layers/Recovery.ts"
import { plan } from "../../src/layers/Repair.ts"
import { readState } from "../../src/layers/StateStore.ts"
import { verify } from "../../src/layers/Verify.ts"
import { adopted, session } from "../contracts/state.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-lock-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))
const folder = () => fs.mkdtempSync(join(base, "t-"))

const holding = <A, E, R>(directory: string, work: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(hold(directory, "1.2.3"), work)).pipe(Effect.provide(Disk.layerNode))

const refusal = (directory: string) => Effect.map(Effect.flip(holding(directory, Effect.void)), (error) => error as LockHeld)

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

/** The same, ended with the scope. */
const started = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(() => holder(directory)),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Whether another process could hold it now: `free` or `held`. With bare SQLite, in a tenth of the time that a runtime takes. */
const tries = (directory: string): string => {
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", trial, join(directory, "lock", "lock.db")], { encoding: "utf8" })
  return stdout.trim() || stderr
}
const trial = `
  const { DatabaseSync } = require("node:sqlite")
  try {
    new DatabaseSync(process.argv[1], { timeout: 0 }).exec("BEGIN EXCLUSIVE")
    console.log("free")
  } catch (error) {
    console.log(error.errcode === 5 ? "held" : String(error))
  }`

/** A runtime in a process of its own that is ready to start, and tries when told. */
const rival = (directory: string) =>
  new Promise<{ readonly process: ReturnType<typeof spawn>; readonly go: () => Promise<string> }>((resolve) => {
    const process_ = spawn(process.execPath, [join(import.meta.dirname, "lockHolder.ts"), directory, "wait"], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    const line = () => new Promise<string>((heard) => process_.stdout.once("data", (data) => heard(String(data).trim())))
    void line().then(() =>
      resolve({
        process: process_,
        go: () => {
          const answer = line()
          process_.stdin.write("go\n")
          return answer
        }
      })
    )
  })

/** The same, ended with the scope. */
const ready = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(() => rival(directory)),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

const until = (there: () => boolean) => Effect.repeat(Effect.andThen(Effect.sleep(5), Effect.sync(there)), { until: (yes) => yes })

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

  it.live("says that its holder is stopped, and how it goes on", () =>
    Effect.gen(function* () {
      const directory = folder()
      const child = yield* started(directory)
      child.kill("SIGSTOP")
      yield* until(() => parseProcStat(fs.readFileSync(`/proc/${child.pid}/stat`, "utf8"))?.state === "T")
      const { got, fix } = yield* refusal(directory)
      assert.include(got, `pid ${child.pid} on`)
      assert.include(got, "which is stopped")
      assert.include(fix, `kill -CONT ${child.pid}`)
    }).pipe(Effect.scoped)
  )

  it.live("believes no word about its holder that this machine does not bear out", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* holding(
        directory,
        Effect.gen(function* () {
          const path = join(directory, "owner.json")
          const mine = fs.readFileSync(path, "utf8")
          const ours = JSON.parse(mine) as Record<string, unknown>
          for (const [text, says] of [
            ["", "another process"],
            ["{", "another process"],
            ["[]", "another process"],
            [JSON.stringify({ ...ours, pid: "1" }), "another process"],
            [JSON.stringify({ ...ours, startTime: "1" }), `another process; owner.json names pid ${process.pid}`],
            [JSON.stringify({ ...ours, bootId: "b" }), `another process; owner.json names pid ${process.pid}`],
            [JSON.stringify({ ...ours, pid: 2 ** 30 }), `another process; owner.json names pid ${2 ** 30}`],
            [mine, `pid ${process.pid} on`]
          ] as const) {
            fs.writeFileSync(path, text)
            const { got, fix } = yield* refusal(directory)
            assert.isTrue(got.startsWith(says), `${text}: ${got}`)
            assert.strictEqual(/kill \d/.test(fix), text === mine, "nobody is to be killed on that word")
          }
          fs.rmSync(path)
          assert.include((yield* refusal(directory)).got, "another process")
        })
      )
    })
  )

  it.live("is freed in its holder by any other open and close of its file", () =>
    Effect.gen(function* () {
      // Why nothing but the lock may open that file: this is the system's rule, shown so that nobody has to believe it.
      const directory = folder()
      yield* holding(
        directory,
        Effect.sync(() => {
          assert.strictEqual(tries(directory), "held")
          fs.closeSync(fs.openSync(join(directory, "lock", "lock.db"), "r"))
          assert.strictEqual(tries(directory), "free")
        })
      )
    })
  )

  it.live("stays with its holder while that backs up, verifies, reads and would repair its own directory", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) =>
        Effect.gen(function* () {
          yield* store.append(adopted("a"))
          yield* store.compact
          for (const look of [
            readState(directory),
            verify(directory),
            plan(directory),
            backup(directory, join(folder(), "copy")),
            standing(directory, 0),
            eachSegment(directory, [1], () => Effect.void),
            compact(directory, store.epoch, store.ledger),
            Effect.flip(holding(directory, Effect.void))
          ]) {
            yield* Effect.asVoid(look as Effect.Effect<unknown, never, Disk>)
            assert.strictEqual(tries(directory), "held")
          }
          const { go } = yield* ready(directory)
          assert.strictEqual(yield* Effect.promise(go), "LOCK_HELD")
        })
      )
    }).pipe(Effect.scoped, Effect.provide(Disk.layerNode), Effect.provide(Logger.layer([])))
  )

  it.live("is taken over by one of eight at once, as soon as its holder was killed", () =>
    Effect.gen(function* () {
      const directory = folder()
      const child = yield* started(directory)
      const rivals = yield* Effect.all(
        Array.from({ length: 8 }, () => ready(directory)),
        { concurrency: "unbounded" }
      )
      child.kill("SIGKILL")
      yield* Effect.promise(() => ended(child))
      const said = yield* Effect.promise(() => Promise.all(rivals.map(({ go }) => go())))
      assert.deepStrictEqual(said.toSorted(), ["held", ...Array.from({ length: 7 }, () => "LOCK_HELD")].toSorted())
    }).pipe(Effect.scoped)
  )

  it.live("is there for the next start within 100 ms of a kill", () =>
    Effect.gen(function* () {
      const took: Array<number> = []
      for (let n = 0; n < 5; n++) {
        const directory = folder()
        const child = yield* started(directory)
        child.kill("SIGKILL")
        yield* Effect.promise(() => ended(child))
        const beganAt = performance.now()
        yield* holding(
          directory,
          Effect.sync(() => took.push(performance.now() - beganAt))
        )
      }
      assert.isBelow(took.toSorted((a, b) => a - b)[2]!, 100)
    }).pipe(Effect.scoped)
  )

  it.live("is not taken on a file that somebody else removed while it was being locked", () =>
    Effect.gen(function* () {
      const directory = folder()
      const path = join(directory, "lock", "lock.db")
      const child = yield* started(directory)
      fs.rmSync(path)
      // The first look still sees the removed file, as a process would that was slower than the one who removed it.
      const disk = yield* Disk
      let looks = 0
      const late: Disk["Service"] = {
        ...disk,
        stat: (of) =>
          of === path && looks++ === 0 ? Effect.succeed({ bytes: 0, modifiedAtMs: 0, inode: 1, device: 0, link: false }) : disk.stat(of)
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* hold(directory).pipe(Effect.provideService(Disk, late))
          assert.isAtLeast(looks, 3, "it was looked at once more")
          assert.strictEqual(tries(directory), "held")
        })
      )
      assert.isNull(child.exitCode)
    }).pipe(Effect.scoped, Effect.provide(Disk.layerNode))
  )

  it.live("takes its holder's name away before it is free", () =>
    Effect.gen(function* () {
      const directory = folder()
      const disk = yield* Disk
      let then = "never"
      const watched: Disk["Service"] = {
        ...disk,
        remove: (path) =>
          Effect.suspend(() => {
            if (path === join(directory, "owner.json")) then = tries(directory)
            return disk.remove(path)
          })
      }
      yield* Effect.scoped(Effect.provideService(hold(directory), Disk, watched))
      assert.strictEqual(then, "held")
      assert.isFalse(fs.existsSync(join(directory, "owner.json")))
      assert.strictEqual(tries(directory), "free")
    }).pipe(Effect.provide(Disk.layerNode))
  )

  it.live("removed under its holder lets another one in, after whom the first acknowledges nothing and takes no name away", () =>
    Effect.gen(function* () {
      const directory = folder()
      const outer = yield* Effect.scope
      const second = yield* session(directory, (first) =>
        Effect.gen(function* () {
          yield* first.append(adopted("before"))
          fs.rmSync(join(directory, "lock"), { recursive: true })
          const second = yield* Scope.provide(started(directory), outer)
          const late = yield* Effect.flip(first.append(adopted("late")))
          assert.strictEqual(late.code, "STATE_FENCED")
          assert.strictEqual((yield* Effect.flip(first.append(adopted("later")))).code, "STATE_FENCED")
          assert.deepStrictEqual([...(yield* readState(directory)).ledger.skills.keys()], ["before"])
          return second
        })
      )
      assert.strictEqual((yield* owner(directory))?.pid, second.pid)
      assert.include((yield* refusal(directory)).got, `pid ${second.pid} on`)
    }).pipe(Effect.scoped, Effect.provide(Disk.layerNode), Effect.provide(Logger.layer([])))
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
