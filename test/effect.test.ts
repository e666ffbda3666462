/** The Effect API: the runtime as a layer, and skills as Effects with their own services. */
import { Context, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import { assert, describe, expectTypeOf, it } from "vitest"
import {
  type EffectSkillContext,
  Errors,
  Holdfast,
  type HoldfastError,
  Runtime,
  type Services,
  Skill,
  StateStore,
  StepFailed
} from "../src/effect.ts"
import { EmbeddedGateway } from "../src/gateway/index.ts"
import { folder } from "./layers/children.ts"
import { journalIn } from "./journal.ts"

class Post extends Context.Service<Post, { readonly publish: (text: string) => Effect.Effect<string> }>()("test/Post") {}

/** Triggers a skill and waits until its run has settled. */
const run = Effect.fnUntraced(function* (skill: string) {
  const [runtime, store] = [yield* Runtime, yield* StateStore]
  const settled = yield* Effect.forkChild(Stream.runHead(Stream.filter(store.events, (event) => event.type === "run.settled")), {
    startImmediately: true
  })
  yield* Effect.yieldNow
  yield* runtime.trigger(skill)
  const event = yield* Effect.fromOption(yield* Effect.timeout(Fiber.join(settled), 10_000))
  return event.type === "run.settled" ? event : yield* Effect.die("another event")
})

describe("Holdfast.layer", () => {
  it("runs an Effect skill with its steps on record, and the skill's services are paid where it is made", async () => {
    const state = folder()
    const published: Array<string> = []
    const publisher = Context.make(Post, { publish: (text) => Effect.sync(() => `post ${published.push(text)}`) })
    const poster = Skill.make({
      name: "poster",
      description: "Publishes twice.",
      run: (ctx) =>
        Effect.gen(function* () {
          const first = yield* ctx.step("post-1", ({ key }) => Post.use((post) => post.publish(key)))
          const second = yield* ctx.step("post-2", ({ key }) => Post.use((post) => post.publish(key)))
          return { posts: 2, first, second }
        }).pipe(Effect.provideContext(publisher))
    })
    const settled = await Effect.runPromise(run("poster").pipe(Effect.provide(Holdfast.layer({ state, skills: [poster] }))))
    assert.deepInclude(settled, { outcome: "success", fields: { posts: 2, first: "post 1", second: "post 2" } })
    assert.deepStrictEqual(published, [`${settled.run}/post-1`, `${settled.run}/post-2`])
    assert.deepStrictEqual(
      journalIn(state).flatMap((event) =>
        event.type === "step.started" || event.type === "step.finished" ? [`${event.type} ${event.step}`] : []
      ),
      ["step.started post-1", "step.finished post-1", "step.started post-2", "step.finished post-2"]
    )
    assert.strictEqual(journalIn(state).at(-1)?.type, "runtime.stopped")
  })

  it("does a finished step once, in whatever attempt, and begins an unfinished one anew under the same key", async () => {
    const did: Array<string> = []
    const flaky = Skill.make({
      name: "flaky",
      retry: { attempts: 3, first: "100 millis" },
      run: (ctx) =>
        Effect.gen(function* () {
          const first = yield* ctx.step("first", ({ key, attempt }) =>
            Effect.sync(() => {
              did.push(`${key.split("/")[1]} in attempt ${attempt}`)
              return attempt
            })
          )
          yield* ctx.step("second", ({ key, attempt }) =>
            Effect.suspend(() => {
              did.push(`${key.split("/")[1]} in attempt ${attempt}`)
              return attempt < 3 ? Effect.fail(new Error("not yet")) : Effect.void
            })
          )
          return { first }
        })
    })
    const settled = await Effect.runPromise(run("flaky").pipe(Effect.provide(Holdfast.layer({ state: folder(), skills: [flaky] }))))
    assert.deepInclude(settled, { outcome: "success", fields: { first: 1 } })
    assert.deepStrictEqual(did, ["first in attempt 1", "second in attempt 1", "second in attempt 2", "second in attempt 3"])
  })

  it("tells a skill when a step is refused, with the reason", async () => {
    let told: unknown
    const wrong = Skill.make({
      name: "wrong",
      run: (ctx) =>
        ctx
          .step("a step", () => Effect.void)
          .pipe(
            Effect.catchTag("StepFailed", (failure) =>
              Effect.sync(() => {
                told = failure
                return { caught: true }
              })
            )
          )
    })
    const settled = await Effect.runPromise(run("wrong").pipe(Effect.provide(Holdfast.layer({ state: folder(), skills: [wrong] }))))
    assert.deepInclude(settled, { outcome: "success", fields: { caught: true } })
    assert.instanceOf(told, StepFailed)
    assert.deepInclude({ ...(told as object) }, { step: "a step" })
  })

  it("interrupts its skills when its scope closes, waits for them, and fails nobody", async () => {
    const ended: Array<string> = []
    const endless = Skill.make({
      name: "endless",
      run: () =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.andThen(
            Effect.sleep(50),
            Effect.sync(() => ended.push("skill"))
          )
        )
    })
    const exit = await Effect.runPromiseExit(
      Effect.gen(function* () {
        const [runtime, store] = [yield* Runtime, yield* StateStore]
        const begun = yield* Effect.forkChild(Stream.runHead(Stream.filter(store.events, ({ type }) => type === "attempt.started")), {
          startImmediately: true
        })
        yield* Effect.yieldNow
        yield* runtime.trigger("endless")
        yield* Fiber.join(begun)
        yield* Effect.sleep(20)
      }).pipe(
        Effect.provide(Holdfast.layer({ state: folder(), skills: [endless] })),
        Effect.ensuring(Effect.sync(() => ended.push("layer")))
      )
    )
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual(ended, ["skill", "layer"])
  })

  it("fails with typed errors, and needs nothing but its options", async () => {
    const layer = Holdfast.layer({ state: folder(), skills: [Skill.make({ name: "bad", needs: ["session"], run: () => Effect.void })] })
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<Services, HoldfastError>>()
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
    assert.instanceOf(failure, Errors.SkillInvalid)
    assert.deepInclude({ ...failure }, { code: "NEEDS_GATEWAY" })
  })

  it("gives a skill the session and the gateway that it needs, with typed failures", async () => {
    const skills = [
      Skill.make({
        name: "asking",
        needs: ["session", "gateway"],
        run: (ctx) =>
          Effect.gen(function* () {
            const told = yield* ctx.step("tell", () => ctx.session.inject("Good morning", { label: "tell" }))
            const again = yield* ctx.session.inject("Good morning", { label: "tell" })
            const [message] = yield* ctx.session.history({ limit: 1 })
            const denied = yield* Effect.flip(ctx.gateway.invoke("exec", { command: "id" }))
            yield* ctx.gateway.invoke("sessions_list")
            return { told: told.already, again: again.already, text: message!.text, denied: denied.code ?? "" }
          })
      }),
      Skill.make({
        name: "bare",
        run: (ctx) =>
          ctx.session.history().pipe(
            Effect.map((messages) => ({ reason: `${messages.length} messages` })),
            Effect.catchTag("LinkFailed", ({ reason }) => Effect.succeed({ reason: reason }))
          )
      }),
      Skill.make({ name: "careless", run: (ctx) => Effect.as(ctx.session.history(), {}) })
    ]
    const program = Effect.gen(function* () {
      const token = Redacted.make("secret-token")
      const gateway = yield* EmbeddedGateway.make({ port: 0, token, directory: folder() })
      const services = yield* Layer.build(Holdfast.layer({ state: folder(), gateway: { url: gateway.url, token }, skills }))
      return yield* Effect.provideContext(
        Effect.gen(function* () {
          const runtime = yield* Runtime
          yield* Stream.runHead(Stream.filter(runtime.modes, (mode) => mode === "connected"))
          const ends = [yield* run("asking"), yield* run("bare"), yield* run("careless")]
          return { ends, picture: yield* runtime.picture }
        }),
        services
      )
    })
    const { ends, picture } = await Effect.runPromise(Effect.scoped(program))
    assert.deepInclude(ends[0], {
      outcome: "success",
      fields: { told: false, again: true, text: `[holdfast run=${ends[0]!.run} tell]\n\nGood morning`, denied: "HTTP_404" }
    })
    assert.deepInclude(ends[1], { outcome: "success", fields: { reason: "notDeclared" } })
    assert.deepInclude(ends[2], { outcome: "failed", failure: { code: "RUN_THREW", class: "config" } })
    assert.deepStrictEqual(picture.circuit, { state: "closed", failures: 0 })
  })

  it("gives a skill its facts as any skill has them", async () => {
    let seen: EffectSkillContext | undefined
    const curious = Skill.make({
      name: "curious",
      run: (ctx) =>
        Effect.gen(function* () {
          seen = ctx
          return { history: (yield* ctx.history) === undefined ? "none" : "some" }
        })
    })
    const settled = await Effect.runPromise(run("curious").pipe(Effect.provide(Holdfast.layer({ state: folder(), skills: [curious] }))))
    assert.deepInclude(settled, { fields: { history: "none" } })
    assert.deepInclude(seen, { skill: "curious", attempt: 1, missed: 0, run: settled.run, idempotencyKey: settled.run, fence: 1 })
    assert.instanceOf(seen?.slot, Date)
  })
})
