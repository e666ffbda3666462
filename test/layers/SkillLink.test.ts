/** What a skill is given of the link, over a real socket to the embedded gateway. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Result } from "effect"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import type { LinkFailed } from "../../src/domain/LinkFailed.ts"
import { label } from "../../src/domain/Outbox.ts"
import { redactionOf } from "../../src/domain/Redaction.ts"
import type { Need } from "../../src/domain/Skill.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { History } from "../../src/layers/History.ts"
import { Secrets } from "../../src/layers/Secrets.ts"
import { Session } from "../../src/layers/Session.ts"
import { layerLinked, linkOf } from "../../src/layers/SkillLink.ts"
import { started } from "../gateway/world.ts"
import { facts } from "./children.ts"
import { memory, memoryStore } from "./memoryStore.ts"

const main = "agent:main:main"
const { run } = facts("")
const both: ReadonlyArray<Need> = ["session", "gateway"]

/** The link of skills to an embedded gateway; `connect` opens the session, for as long as its connection lasts. */
const linked = Effect.gen(function* () {
  const gateway = yield* started()
  const options = { url: Result.getOrThrow(gatewayUrl(gateway.url)), token: Redacted.make("secret-token"), session: main }
  const services = yield* Layer.build(
    layerLinked(options).pipe(
      Layer.provideMerge(History.layer(options)),
      Layer.provideMerge(Session.layer({ ...options, version: "0" })),
      Layer.provide([
        Dial.layer,
        memoryStore(memory()),
        Layer.succeed(Secrets, redactionOf([{ name: "API_KEY", value: "hunter2-hunter2" }]))
      ])
    )
  )
  const session = Context.get(services, Session)
  const state = Effect.map(session.state, ({ _tag }) => _tag)
  const connect = Effect.gen(function* () {
    yield* Effect.forkScoped(session.connection(() => {}))
    yield* Effect.repeat(Effect.andThen(Effect.sleep(5), state), { until: (now) => now === "Connected" })
  })
  const lost = Effect.repeat(Effect.andThen(Effect.sleep(5), state), { until: (now) => now === "NotConnected" })
  const of = (needs = both, attempt = 1) => Effect.provideContext(linkOf({ needs }, facts("", { attempt, startedAtMs: 0 })), services)
  const rows = Effect.map(gateway.transcript(main), (all) => all.map(({ text }) => text))
  return { gateway, connect, lost, of, rows }
})

const said = ({ reason, code, class: named }: LinkFailed) => [reason, code, named]

describe("a skill's link", () => {
  it.live("injects into a session that it makes, once for each label, in whatever attempt", () =>
    Effect.gen(function* () {
      const { connect, of, rows } = yield* linked
      yield* connect
      const { session } = yield* of()
      assert.deepStrictEqual(yield* session.inject("Good morning", { label: "greeting" }), { already: false })
      assert.deepStrictEqual(yield* (yield* of(both, 2)).session.inject("Good morning!", { label: "greeting" }), { already: true })
      assert.deepStrictEqual(yield* session.inject("And hunter2-hunter2", { label: "more" }), { already: false })
      assert.deepStrictEqual(yield* session.inject("no name"), { already: false })
      assert.deepStrictEqual(yield* session.inject("no name"), { already: true })
      assert.deepStrictEqual(yield* session.inject("another"), { already: false })
      const all = yield* rows
      assert.deepStrictEqual(all.slice(0, 2), [
        `[holdfast run=${run} greeting]\n\nGood morning`,
        `[holdfast run=${run} more]\n\nAnd [redacted API_KEY]`
      ])
      assert.strictEqual(all.length, 4)
      assert.isFalse(
        all.some((text) => text.startsWith(`[${label(run)}]`)),
        "no row of a skill is taken for the report of its run"
      )
    })
  )

  it.live("does not send again what was sent and never answered", () =>
    Effect.gen(function* () {
      const { gateway, connect, lost, of, rows } = yield* linked
      yield* connect
      const { session } = yield* of()
      yield* session.inject("first", { label: "first" })
      yield* gateway.control.loseReplies(1)
      assert.deepStrictEqual(said(yield* Effect.flip(session.inject("second", { label: "second" }))), ["ambiguous", undefined, "link"])
      yield* lost
      assert.deepStrictEqual(said(yield* Effect.flip(session.inject("second", { label: "second" }))), ["notConnected", undefined, "link"])
      yield* connect
      assert.deepStrictEqual(yield* session.inject("second", { label: "second" }), { already: true })
      assert.strictEqual((yield* rows).length, 2)
    })
  )

  it.live("reads the newest messages of a session, and says what it cannot read", () =>
    Effect.gen(function* () {
      const { connect, of } = yield* linked
      const { session } = yield* of()
      assert.deepStrictEqual(said(yield* Effect.flip(session.history())), ["notConnected", undefined, "link"])
      yield* connect
      for (const text of ["one", "two", "three"]) yield* session.inject(text, { label: text, session: "agent:main:other" })
      const texts = (yield* session.history({ session: "agent:main:other", limit: 2 })).map(({ text }) => text.split("\n").at(-1))
      assert.deepStrictEqual(texts, ["two", "three"])
      assert.deepStrictEqual(yield* session.history({ session: "gone" }), [])
      assert.deepStrictEqual(said(yield* Effect.flip(session.inject(""))), ["refused", "INVALID_REQUEST", "terminal"])
    })
  )

  it.live("asks nothing that the skill does not declare, and no label that could look like another row's", () =>
    Effect.gen(function* () {
      const { gateway, connect, of, rows } = yield* linked
      yield* connect
      const bare = yield* of([])
      const failures = [bare.session.history(), bare.session.inject("x"), bare.gateway.invoke("sessions_list")]
      for (const failure of failures) assert.deepStrictEqual(said(yield* Effect.flip(failure)), ["notDeclared", undefined, "config"])
      assert.deepStrictEqual(said(yield* Effect.flip((yield* of(["gateway"])).session.inject("x"))), ["notDeclared", undefined, "config"])
      assert.deepStrictEqual(said(yield* Effect.flip((yield* of(["session"])).gateway.invoke("sessions_list"))), [
        "notDeclared",
        undefined,
        "config"
      ])
      assert.deepStrictEqual(said(yield* Effect.flip((yield* of()).session.inject("x", { label: "a] b" }))), [
        "refused",
        "LABEL_INVALID",
        "terminal"
      ])
      assert.deepStrictEqual([yield* rows, yield* gateway.invoked], [[], []])
      yield* (yield* of(["gateway"])).gateway.invoke("sessions_list")
    })
  )
})
