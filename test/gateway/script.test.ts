import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { type Control, type EmbeddedGateway, loadScript, play, readScript } from "../../src/gateway/index.ts"
import { connected, get } from "./client.ts"
import { folder, started } from "./world.ts"

const steps = (...given: ReadonlyArray<unknown>) => JSON.stringify(given)

describe("a script", () => {
  it.effect("does each step at its time and undoes it after its `for`, however steps overlap", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const record = (word: string) =>
        Effect.sync(() => {
          done.push(word)
        })
      // Stands for a gateway: it writes down what it is told.
      const control = new Proxy({} as Control, {
        get: (_, name: string) => (takesArguments.has(name) ? (n: number) => record(`${name}(${n})`) : record(name))
      })
      const script = yield* Effect.fromResult(
        readScript(
          steps(
            { at: "2 seconds", do: "hang", for: "3 seconds" },
            { at: 1_000, do: "refuseSessions", for: "2 seconds" },
            { at: "1 minute", do: "drain", for: "5 seconds" },
            { at: "4 seconds", do: "delayCommit", by: 50, for: 500 },
            { at: 0, do: "drop" },
            { at: "10 seconds", do: "drop", for: "1 second" },
            { at: "12 seconds", do: "loseReplies" },
            { at: "13 seconds", do: "failTools", count: 5, status: 503 },
            { at: "14 seconds", do: "loseTools", count: 2 }
          ),
          "s"
        )
      )
      const playing = yield* Effect.forkChild(play({ control } as EmbeddedGateway, script), { startImmediately: true })
      yield* TestClock.adjust("2500 millis")
      assert.deepStrictEqual(done, ["drop", "refuseSessions", "hang"])
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(playing)
      assert.deepStrictEqual(done.slice(3), [
        "acceptSessions",
        "delayCommit(50)",
        "delayCommit(0)",
        "thaw",
        "refuse",
        "accept",
        "loseReplies(1)",
        "failTools(5)",
        "loseTools(2)",
        "drain(5000)"
      ])
    })
  )

  it.live("plays against a gateway", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const client = yield* connected(gateway.url)
      const file = path.join(yield* folder, "script.json")
      fs.writeFileSync(file, steps({ at: 50, do: "failHttp", for: "300 millis" }, { at: 100, do: "restart", for: 10 }))
      yield* play(gateway, yield* loadScript(file))
      assert.strictEqual((yield* client.end).code, 1006)
      assert.notStrictEqual(yield* gateway.bootId, client.hello.server.bootId)
      assert.strictEqual(((yield* get(gateway.port, "/healthz")) as any).status, 200)
    })
  )

  it.live("that is wrong says where, and what to write instead", () =>
    Effect.gen(function* () {
      const cases = [
        ["[", "SCRIPT_SYNTAX", "s", ""],
        ["{}", "SCRIPT_SHAPE", "s", ""],
        ["[3]", "SCRIPT_SHAPE", "s", ""],
        ['[{"at":1}]', "SCRIPT_SHAPE", "s", ""],
        [steps({ at: 1, do: "drop" }, { at: 1, do: "hnag" }), "SCRIPT_VERB", "s[1].do", "hang"],
        [steps({ at: 1, do: "constructor" }), "SCRIPT_VERB", "s[0].do", ""],
        [steps({ do: "drop" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: "soon", do: "drop" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: -1, do: "drop" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: "Infinity", do: "drop" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: 1, do: "drain" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: 1, do: "thaw", for: 5 }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: 1, do: "loseReplies", count: 0 }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: 1, do: "delayCommit" }), "SCRIPT_STEP", "s[0]", ""],
        [steps({ at: 1, do: "hang", fro: 5 }), "SCRIPT_STEP", "s[0]", ""]
      ] as const
      for (const [text, code, where, hint] of cases) {
        const error = yield* Effect.flip(Effect.fromResult(readScript(text, "s")))
        assert.deepStrictEqual([error._tag, error.code, error.where], ["ConfigInvalid", code, where], text)
        assert.include(error.fix, hint)
      }
      assert.strictEqual((yield* Effect.flip(loadScript("/nowhere/script.json"))).code, "SCRIPT_MISSING")
      assert.isTrue(Result.isSuccess(readScript("[]", "s")))
    })
  )
})

const takesArguments = new Set(["delayCommit", "loseReplies", "drain", "restart", "starting", "dropFor", "failTools", "loseTools"])
