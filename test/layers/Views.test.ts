import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { type NewEvent, StateStore, type StateOptions } from "../../src/layers/StateStore.ts"
import { adopted } from "../contracts/state.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-views-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))
const folder = () => fs.mkdtempSync(join(base, "t-"))

const session = <A, E, R>(directory: string, work: (store: StateStore["Service"]) => Effect.Effect<A, E, R>, options?: StateOptions) =>
  Effect.flatMap(StateStore, work).pipe(
    Effect.provide(StateStore.layer(directory, options)),
    Effect.provide(Disk.layerNode),
    Effect.provide(Logger.layer([]))
  )

const slotAtMs = Date.UTC(2026, 10, 22, 6)
const run = (skill: string, minute: number, outcome: "success" | "failed" = "success"): ReadonlyArray<NewEvent> => {
  const slot = slotAtMs + minute * 60_000
  const id = `${skill}@${minute}`
  return [
    { type: "run.claimed", run: id, skill, slot, fence: 1, digest: "d", missed: 0 },
    {
      type: "run.settled",
      atMs: slot + 2_123,
      run: id,
      outcome,
      reason: "exit 1",
      startedAtMs: slot + 23,
      durationMs: 2_100,
      fields: { posts: 4 },
      report: null
    }
  ]
}
const read = (path: string) => fs.readFileSync(path, "utf8")
const status = (directory: string) => join(directory, "skills", "status")

describe("the status files", () => {
  it.live("show how each skill last ended, modified when it did", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) =>
        Effect.gen(function* () {
          yield* store.append(adopted("a"), adopted("never-ran"), ...run("a", 0))
          yield* store.flushed
          const path = join(status(directory), "a.txt")
          assert.strictEqual(read(path), "status=success,timestamp=2026-11-22T06:00:02.123Z,run=a@0,duration_ms=2100,late_ms=23,posts=4\n")
          assert.strictEqual(Math.round(fs.statSync(path).mtimeMs), slotAtMs + 2_123)
          assert.strictEqual(fs.statSync(path).mode & 0o777, 0o600)
          yield* store.append(...run("a", 1, "failed"))
          yield* store.flushed
          assert.match(read(path), /^status=failed,.*,last_success=2026-11-22T06:00:02.123Z,reason=exit 1,/)
          assert.deepStrictEqual(fs.readdirSync(status(directory)), ["a.txt"])
        })
      )
    })
  )

  it.live("are written when the scope closes, nobody waiting for them", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) => store.append(adopted("a"), ...run("a", 0)))
      assert.include(read(join(status(directory), "a.txt")), "run=a@0")
    })
  )

  it.live("are made anew at a start where they are missing, edited or of another time, and others are left as they are", () =>
    Effect.gen(function* () {
      const directory = folder()
      const names = ["same", "missing", "edited", "touched"]
      yield* session(directory, (store) => store.append(...names.flatMap((name) => [adopted(name), ...run(name, 0)])))
      const path = (name: string) => join(status(directory), `${name}.txt`)
      const line = (name: string) => read(path("same")).replaceAll("same@", `${name}@`)
      fs.rmSync(path("missing"))
      fs.writeFileSync(path("edited"), "status=success")
      fs.utimesSync(path("touched"), 1, 1)
      const inode = fs.statSync(path("same")).ino
      yield* session(directory, () => Effect.void)
      for (const name of names) {
        assert.strictEqual(read(path(name)), line(name))
        assert.strictEqual(Math.round(fs.statSync(path(name)).mtimeMs), slotAtMs + 2_123)
      }
      assert.strictEqual(fs.statSync(path("same")).ino, inode, "what was right was not written")
    })
  )

  it.live("go where they are asked to, and nothing else there is touched", () =>
    Effect.gen(function* () {
      const [directory, elsewhere] = [folder(), folder()]
      for (const name of ["unknown.txt", ".draft-of-a-novel", "a.txt.bak"]) fs.writeFileSync(join(elsewhere, name), "theirs")
      yield* session(directory, (store) => store.append(adopted("a"), ...run("a", 0)), { statusDirectory: elsewhere })
      assert.deepStrictEqual(fs.readdirSync(elsewhere).sort(), [".draft-of-a-novel", "a.txt", "a.txt.bak", "unknown.txt"])
      assert.deepStrictEqual(
        ["unknown.txt", ".draft-of-a-novel", "a.txt.bak"].map((name) => read(join(elsewhere, name))),
        ["theirs", "theirs", "theirs"]
      )
      assert.isFalse(fs.existsSync(join(status(directory), "a.txt")))
    })
  )

  it.live("hold nobody up when they cannot be written, and are there again at the next change", () =>
    Effect.gen(function* () {
      const [directory, elsewhere] = [folder(), join(folder(), "status")]
      fs.writeFileSync(elsewhere, "a file where the folder should be")
      yield* session(
        directory,
        (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("a"), ...run("a", 0))
            yield* store.flushed
            fs.rmSync(elsewhere)
            yield* store.append(...run("a", 1))
            yield* store.flushed
            assert.include(read(join(elsewhere, "a.txt")), "run=a@1")
          }),
        { statusDirectory: elsewhere }
      )
    })
  )

  it.live("show the last of many runs, however fast they came", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) =>
        Effect.gen(function* () {
          yield* store.append(adopted("a"))
          for (let i = 0; i < 200; i++) yield* store.append(...run("a", i))
          yield* store.flushed
          assert.include(read(join(status(directory), "a.txt")), "run=a@199,")
        })
      )
    })
  )

  for (const [code, laterMs] of [
    ["ENOSPC", 1_000],
    ["EIO", 30_000]
  ] as const) {
    it.effect(`that a disk refused with ${code} are written when it takes them, without another change`, () =>
      Effect.gen(function* () {
        const memory = Disk.memory()
        const line = () => memory.files().get("/state/skills/status/a.txt")?.toString()
        yield* Effect.flatMap(StateStore, (store) =>
          Effect.gen(function* () {
            yield* store.append(adopted("a"))
            memory.fail("open", code)
            yield* store.append(...run("a", 0))
            yield* store.flushed
            assert.isUndefined(line())
            memory.heal()
            yield* TestClock.adjust(laterMs)
            for (let n = 0; line() === undefined && n < 500; n++) yield* TestClock.withLive(Effect.sleep(2))
            assert.match(line() ?? "", /^status=success,.*,run=a@0,/)
          })
        ).pipe(Effect.provide(StateStore.layer("/state")), Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
      })
    )
  }
})

describe("a view", () => {
  it.live("is replaced whole: at no instant does a reader see a part of one", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) =>
        Effect.gen(function* () {
          const path = join(directory, "status.json")
          const texts = ["a", "b"].map((letter) => letter.repeat(200_000))
          yield* store.view("status.json", texts[0]!)
          const seen = new Set<string>()
          let done = false
          const writing = Effect.gen(function* () {
            for (let i = 0; i < 100; i++) yield* store.view("status.json", texts[i % 2]!, 1_000 * i)
            done = true
          })
          const reading = Effect.gen(function* () {
            while (!done) {
              seen.add(read(path))
              yield* Effect.sleep(0)
            }
          })
          yield* Effect.all([writing, reading], { concurrency: 2 })
          assert.isTrue([...seen].every((text) => texts.includes(text)))
          assert.strictEqual(fs.statSync(path).mtimeMs, 99_000)
        })
      )
    })
  )

  it.live("goes to an absolute path as well, into a folder that is made for it", () =>
    Effect.gen(function* () {
      const [directory, elsewhere] = [folder(), folder()]
      yield* session(directory, (store) =>
        Effect.andThen(store.view("runs/r/result.json", "{}"), store.view(join(elsewhere, "x", "y.txt"), "y"))
      )
      assert.deepStrictEqual([read(join(directory, "runs/r/result.json")), read(join(elsewhere, "x", "y.txt"))], ["{}", "y"])
    })
  )

  it.live("leaves no draft behind: those of a crash are removed at the next start and never read", () =>
    Effect.gen(function* () {
      const directory = folder()
      yield* session(directory, (store) => store.append(adopted("a"), ...run("a", 0)))
      const drafts = [join(directory, ".draft-0123456789abcdef"), join(status(directory), ".draft-fedcba9876543210")]
      for (const draft of drafts) fs.writeFileSync(draft, "half")
      yield* session(directory, () => Effect.void)
      assert.deepStrictEqual(
        drafts.filter((draft) => fs.existsSync(draft)),
        []
      )
    })
  )

  it.live("that cannot be written keeps its old text, and no failure of anybody's", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.flatMap(StateStore, (store) =>
        Effect.gen(function* () {
          yield* store.view("status.json", "old")
          for (const operation of ["open", "append", "datasync", "touch", "rename"] as const) {
            memory.fail(operation, "ENOSPC")
            yield* store.view("status.json", "new", 5)
            memory.heal()
            assert.strictEqual(memory.files().get("/state/status.json")?.toString(), "old")
            assert.deepStrictEqual(
              [...memory.files().keys()].filter((path) => path.includes(".draft-")),
              []
            )
          }
        })
      ).pipe(Effect.provide(StateStore.layer("/state")), Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
    })
  )
})
