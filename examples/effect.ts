/** The same for Effect: the runtime is a layer, a skill is an Effect, and what a skill needs is provided before. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Stream } from "effect"
import { Holdfast, Runtime, Skill, StateStore } from "holdfast/effect"

class Publisher extends Context.Service<Publisher, { readonly publish: (text: string, key: string) => Effect.Effect<number> }>()(
  "example/Publisher"
) {
  static readonly layer = Layer.succeed(Publisher, { publish: (text, key) => Effect.as(Effect.log(`${text} (${key})`), text.length) })
}

const live = Layer.unwrap(
  Effect.gen(function* () {
    const services = yield* Effect.context<Publisher>()
    const greeting = Skill.make({
      name: "greeting",
      schedule: { every: "1 second" },
      retry: { attempts: 5 },
      run: (ctx) =>
        Effect.gen(function* () {
          const publisher = yield* Publisher
          const length = yield* ctx.step("publish", ({ key }) => publisher.publish(`for ${ctx.slot.toISOString()}`, key))
          return { length, summary: `Published ${length} characters.` }
        }).pipe(Effect.provideContext(services))
    })
    return Holdfast.layer({ state: mkdtempSync(join(tmpdir(), "holdfast-")), skills: [greeting] })
  })
).pipe(Layer.provide(Publisher.layer))

const program = Effect.gen(function* () {
  const runtime = yield* Runtime
  const store = yield* StateStore
  yield* store.events.pipe(
    Stream.takeUntil((event) => event.type === "run.settled"),
    Stream.runForEach((event) => Effect.log(event.type))
  )
  const { mode, skills } = yield* runtime.picture
  yield* Effect.log(`${mode}; greeting: ${skills[0]?.last?.outcome}`)
})

// Leaving the program closes the layer: the skills stop, and their processes are gone when this resolves.
await Effect.runPromise(Effect.provide(program, live))
