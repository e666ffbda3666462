/** The real socket of a real runtime: what can be asked of it, by whom, and what nonsense does to it. */
import { Effect, Fiber, Layer, Logger, type Scope } from "effect"
import * as fs from "node:fs"
import * as net from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { ask, askUntil, socketPath } from "../../src/layers/ControlClient.ts"
import * as Holdfast from "../../src/layers/Holdfast.ts"
import { Runtime } from "../../src/layers/Runtime.ts"
import { promiseWork } from "../../src/layers/SkillFunction.ts"
import { journalIn } from "../journal.ts"
import { folder, until } from "./children.ts"

const beat: Holdfast.SkillGiven = { name: "beat", description: "", settings: {}, work: promiseWork(() => ({ beats: 1 })) }
const serving = (state: string, options: Partial<Holdfast.HoldfastOptions> = {}) =>
  Layer.build(Holdfast.layer({ state, skills: [beat], timezone: "UTC", ...options })).pipe(
    Effect.tap((services) => Effect.flatMap(Runtime, (runtime) => runtime.started).pipe(Effect.provide(services)))
  )
const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

/** Sends these bytes as they are; gives what came back until the other side, or we after an answer, closed. */
const raw = (state: string, bytes: string, answers = 1) =>
  Effect.callback<{ readonly text: string; readonly closed: boolean }>((resume) => {
    const socket = net.connect(socketPath(state))
    let text = ""
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      text += chunk.toString()
      if (text.split("\n").length > answers) resume(Effect.succeed({ text, closed: false }))
    })
    socket.on("close", () => resume(Effect.succeed({ text, closed: true })))
    socket.on("connect", () => socket.write(bytes))
    return Effect.sync(() => socket.destroy())
  })

describe("the control socket", () => {
  it("is this user's alone, answers after the journal has it, and is gone with the runtime", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        assert.strictEqual(fs.statSync(socketPath(state)).mode & 0o777, 0o600)
        const run = yield* ask(state, { id: 1, do: "trigger", skill: "beat", key: "by-hand" })
        assert.match(String(run), /^beat@.*\+manual-by-hand$/)
        assert.isDefined(journalIn(state).find((event) => event.type === "run.claimed" && event.run === run))
        assert.strictEqual(yield* ask(state, { id: 2, do: "trigger", skill: "beat", key: "by-hand" }), run)
        assert.deepInclude(yield* ask(state, { id: 3, do: "status" }), { mode: "standalone" })
      })
    )
    assert.isFalse(fs.existsSync(socketPath(state)))
    assert.deepInclude({ ...(await live(Effect.flip(ask(state, { id: 1, do: "status" })))) }, { code: "RUNTIME_DOWN" })
  })

  it("gives a refusal with its five answers", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        const refused = yield* Effect.flip(ask(state, { id: 1, do: "trigger", skill: "beta" }))
        assert.deepInclude({ ...refused }, { code: "SKILL_UNKNOWN", got: "beta", fix: "did you mean beat?" })
      })
    )
  })

  it("puts a pause and its end on record with who asked and why, and nothing else of the question", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        yield* ask(state, { id: 1, do: "skill.pause", skill: "beat", by: "ops", why: "no power" })
        yield* ask(state, { id: 2, do: "skill.resume", skill: "beat", by: "dev", why: "" })
        const wishes = journalIn(state).filter(({ type }) => type === "skill.paused" || type === "skill.resumed")
        assert.deepStrictEqual(
          wishes.map(({ atMs: _, ...wish }) => wish),
          [
            { type: "skill.paused", v: 1, skill: "beat", by: "ops", why: "no power" },
            { type: "skill.resumed", v: 1, skill: "beat", by: "dev", why: "" }
          ]
        )
      })
    )
  })

  it("takes the steps of the attempt under way, each once and durable, and of no other", async () => {
    const state = folder()
    let done: (() => void) | undefined
    const waiting: Holdfast.SkillGiven = {
      ...beat,
      name: "waiting",
      work: promiseWork(
        () =>
          new Promise((resolve) => {
            done = resolve
          })
      )
    }
    await live(
      Effect.gen(function* () {
        yield* serving(state, { skills: [waiting] })
        const run = String(yield* ask(state, { id: 1, do: "trigger", skill: "waiting" }))
        const recorded = (type: string) => journalIn(state).filter((event) => event.type === type).length
        yield* until(() => done !== undefined, "the attempt's work")
        const step = { run, attempt: 1, step: "send", by: "me" }
        const begin = { id: 2, do: "step.begin", ...step } as const
        const finish = { id: 3, do: "step.finish", ...step, result: { exit: 0 } } as const

        for (const other of [{ attempt: 2 }, { attempt: 0 }, { run: "waiting@20261122T060000Z" }])
          assert.deepInclude({ ...(yield* Effect.flip(ask(state, { ...begin, ...other }))) }, { code: "STEP_NOT_EXECUTING" })
        assert.deepInclude({ ...(yield* Effect.flip(ask(state, finish))) }, { code: "STEP_NOT_BEGUN" })
        assert.strictEqual(recorded("step.started"), 0)

        assert.deepStrictEqual(yield* ask(state, begin), { _tag: "Execute", key: `${run}/send` })
        assert.strictEqual(recorded("step.started"), 1)
        assert.deepStrictEqual(yield* ask(state, begin), { _tag: "Execute", key: `${run}/send` })
        assert.deepInclude({ ...(yield* Effect.flip(ask(state, { ...begin, by: "you" }))) }, { code: "STEP_DUPLICATE" })
        yield* ask(state, finish)
        assert.strictEqual(recorded("step.finished"), 1)
        yield* ask(state, finish)
        assert.deepStrictEqual([recorded("step.started"), recorded("step.finished")], [1, 1])

        done?.()
        yield* until(() => recorded("run.settled") === 1, "the end of the run")
        assert.deepInclude({ ...(yield* Effect.flip(ask(state, { ...begin, step: "late" }))) }, { code: "STEP_NOT_EXECUTING" })
      })
    )
  })

  it("releases a runtime that was started to look around, and drains it to its end", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        const services = yield* serving(state, { hold: true })
        assert.deepInclude({ ...(yield* Effect.flip(ask(state, { id: 1, do: "trigger", skill: "beat" }))) }, { code: "SKILL_HELD" })
        yield* ask(state, { id: 2, do: "release" })
        yield* ask(state, { id: 3, do: "trigger", skill: "beat" })
        const ended = yield* Effect.forkChild(
          Effect.provide(
            Effect.flatMap(Runtime, (runtime) => runtime.ended),
            services
          )
        )
        yield* ask(state, { id: 4, do: "drain" })
        assert.deepStrictEqual(yield* Fiber.join(ended), { mode: "stopped", reason: "asked to" })
      })
    )
  })

  it("says what it wants to whoever talks nonsense, line for line, and goes on", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        const nonsense = [
          "",
          "hello",
          "{",
          "[1,2]",
          `{"id":"x","do":"status"}`,
          `{"id":1,"do":"format"}`,
          `{"id":1,"do":"trigger"}`,
          "\u0000\u0007"
        ]
        const { text } = yield* raw(
          state,
          `${nonsense.join("\n")}\n${JSON.stringify({ id: 7, do: "trigger", skill: "beat" })}\n`,
          nonsense.length + 1
        )
        const answers = text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as { id: number; ok: boolean; error?: { code: string } })
        assert.strictEqual(answers.filter(({ ok, error }) => !ok && error?.code === "CONTROL_SYNTAX").length, nonsense.length)
        assert.deepInclude(
          answers.find(({ ok }) => ok),
          { id: 7 }
        )
      })
    )
  })

  it("takes a question that arrives in pieces", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        const answered = yield* Effect.callback<string>((resume) => {
          const socket = net.connect(socketPath(state))
          const pieces = [...`{"id":5,"do":"status"}\n`]
          const next = () => {
            const piece = pieces.shift()
            if (piece !== undefined) socket.write(piece, () => setImmediate(next))
          }
          socket.on("connect", next)
          socket.once("data", (chunk) => resume(Effect.succeed(chunk.toString())))
          return Effect.sync(() => socket.destroy())
        })
        assert.match(answered, /^\{"id":5,"ok":true/)
      })
    )
  })

  it("cuts off a client that never ends its line, and serves the others", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        const { text, closed } = yield* raw(state, "x".repeat(1_000_000))
        assert.deepStrictEqual({ text, closed }, { text: "", closed: true })
        assert.deepInclude(yield* ask(state, { id: 1, do: "status" }), { mode: "standalone" })
      })
    )
  })

  it("is asked again, the same question, when it is gone before it has answered, and later while nobody listens", async () => {
    const state = folder()
    const questions: Array<string> = []
    let waits = 0
    /** Listens for one question, and answers it or not. */
    const listen = (answer: string | undefined) =>
      new Promise<void>((done) => {
        fs.rmSync(socketPath(state), { force: true })
        const server = net.createServer((socket) =>
          socket.once("data", (line) => {
            questions.push(String(line))
            if (answer === undefined) socket.destroy()
            else socket.end(`${answer}\n`)
            server.close(() => done())
          })
        )
        server.listen(socketPath(state))
      })
    const question = { id: 3, do: "step.begin", run: "r", attempt: 1, step: "send", by: "me" } as const
    const asked = Effect.runPromise(
      askUntil(state, question, {
        untilMs: Date.now() + 20_000,
        onWait: () => {
          waits += 1
        }
      })
    )
    await listen(undefined)
    await Effect.runPromise(until(() => waits === 1, "it waits"))
    await listen(`{"id":3,"ok":true,"result":"done"}`)
    assert.strictEqual(await asked, "done")
    assert.deepStrictEqual([questions, waits], [Array(2).fill(`${JSON.stringify(question)}\n`), 1])
  })

  it("is not asked again when it refuses, nor after the time is up", async () => {
    const state = folder()
    await live(
      Effect.gen(function* () {
        const asking = { untilMs: 0, onWait: () => {} }
        assert.deepInclude({ ...(yield* Effect.flip(askUntil(state, { id: 1, do: "status" }, asking))) }, { code: "RUNTIME_DOWN" })
        yield* serving(state)
        const begin = { id: 1, do: "step.begin", run: "beat@20261122T060000Z", attempt: 1, step: "send", by: "me" } as const
        const refused = yield* Effect.flip(askUntil(state, begin, { ...asking, untilMs: Infinity }))
        assert.deepInclude({ ...refused }, { code: "STEP_NOT_EXECUTING", where: "beat@20261122T060000Z", got: "attempt 1" })
      })
    )
  })

  it("does not wait at its end for clients that keep their connection open", async () => {
    const state = folder()
    let closed = false
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        const socket = net.connect(socketPath(state))
        socket.on("error", () => {})
        socket.on("close", () => {
          closed = true
        })
        yield* Effect.callback<void>((resume) => void socket.once("connect", () => resume(Effect.void)))
      })
    )
    await Effect.runPromise(until(() => closed, "the client was told"))
  })

  it("takes the place of one that a dead runtime left", async () => {
    const state = folder()
    fs.mkdirSync(join(state, "journal"))
    const left = net.createServer().listen(socketPath(state))
    await new Promise((resolve) => left.once("listening", resolve))
    fs.renameSync(socketPath(state), `${socketPath(state)}.kept`) // A close would remove it: what a kill leaves is put back after.
    await new Promise((resolve) => left.close(resolve))
    fs.renameSync(`${socketPath(state)}.kept`, socketPath(state))
    await live(
      Effect.gen(function* () {
        yield* serving(state)
        assert.deepInclude(yield* ask(state, { id: 1, do: "status" }), { mode: "standalone" })
      })
    )
  })

  it("is left out, with a warning, where its path is too long; the runtime works", async () => {
    const state = join(folder(), "long".repeat(25))
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    await live(
      Effect.gen(function* () {
        const services = yield* serving(state)
        yield* Effect.provide(
          Effect.flatMap(Runtime, (runtime) => runtime.trigger("beat")),
          services
        )
        yield* Effect.promise(() => Effect.runPromise(until(() => journalIn(state).some(({ type }) => type === "run.settled"), "a run")))
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
    assert.isFalse(fs.existsSync(socketPath(state)))
    assert.strictEqual(warnings.filter((warning) => warning.includes("SOCKET_PATH_LONG")).length, 1)
  })
})
