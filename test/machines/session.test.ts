import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { createActor } from "xstate"
import { backoffMs, rejectedMs } from "../../src/domain/policies/backoff.ts"
import { dwellMs, withLoss } from "../../src/domain/policies/flapping.ts"
import { fromEffect } from "../../src/layers/actor.ts"
import { networkChanged, NetworkNow } from "../../src/layers/Network.ts"
import { type ConnectionEnd, type LostReason, sessionMachine } from "../../src/machines/session.ts"
import { tellingParent } from "./told.ts"

/** Connections that come to these ends: after `opensAfter` ms (never, if undefined) and `lasts` ms more. */
interface Life {
  readonly opensAfter?: number
  readonly lasts: number
  readonly reason: LostReason
  readonly retryAfterMs?: number
  readonly distance?: "loopback" | "remote"
}

const scripted = (lives: Iterator<Life>, starts: Array<number> = []) =>
  sessionMachine.provide({
    actors: {
      network: fromEffect(({ input }: { input: ConnectionEnd | undefined }) =>
        input === undefined ? Effect.never : networkChanged(input)
      ),
      connection: fromEffect(({ sendBack }) =>
        Effect.gen(function* () {
          const now = Effect.clockWith((clock) => clock.currentTimeMillis)
          starts.push(yield* now)
          const life = lives.next().value as Life | undefined
          if (life === undefined) return yield* Effect.never
          if (life.opensAfter !== undefined) {
            yield* Effect.sleep(life.opensAfter)
            sendBack({ type: "connection.opened", bootId: "b", atMs: yield* now })
          }
          yield* Effect.sleep(life.lasts)
          const end: ConnectionEnd = {
            reason: life.reason,
            detail: "",
            atMs: yield* now,
            opened: life.opensAfter !== undefined,
            retryAfterMs: life.retryAfterMs,
            chance: 0.5,
            distance: life.distance ?? "loopback"
          }
          return end
        })
      )
    }
  })

const forever = function* (life: Life) {
  for (;;) yield life
}

describe("session", () => {
  it.effect("is up once the connection is greeted, and says so with the boot it speaks to", () =>
    Effect.gen(function* () {
      const run = yield* tellingParent(scripted([{ opensAfter: 5, lasts: 60_000, reason: "reset" } as Life].values()))
      assert.deepStrictEqual(run.value(), { connection: "connecting" })
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(run.value(), { connection: { up: "prompt" } })
      assert.isTrue(run.snapshot().hasTag("operational"))
      assert.deepStrictEqual(run.told, [{ type: "session.up", bootId: "b", atMs: 5 }])
    })
  )

  it.effect("tells a loss once for each change of reason, however long the outage", () =>
    Effect.gen(function* () {
      function* outage(): Generator<Life> {
        yield { opensAfter: 5, lasts: 100, reason: "reset" }
        for (let i = 0; i < 100; i++) yield { lasts: 1, reason: "refused" }
        for (;;) yield { lasts: 5, reason: "starting" }
      }
      const run = yield* tellingParent(scripted(outage()))
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(
        run.told.map(({ type, reason }) => reason ?? type),
        ["session.up", "reset", "refused", "starting"]
      )
      assert.strictEqual(run.status(), "active")
    })
  )

  it.effect("tries loopback at most five times a second and is back within half a second of an outage's end", () =>
    Effect.gen(function* () {
      const starts: Array<number> = []
      yield* tellingParent(scripted(forever({ lasts: 0, reason: "refused" }), starts))
      yield* TestClock.adjust("60 seconds")
      const gaps = starts.slice(1).map((at, i) => at - starts[i]!)
      assert.isTrue(
        gaps.every((gap) => gap >= 200 && gap <= 500),
        `gaps ${Math.min(...gaps)} to ${Math.max(...gaps)}`
      )
      assert.isAbove(starts.length, 120)
    })
  )

  it.effect("hammers nobody who does not know it: one try a minute while unauthorized or of the wrong protocol", () =>
    Effect.gen(function* () {
      for (const reason of ["unauthorized", "wrongProtocol"] as const) {
        const starts: Array<number> = []
        const run = yield* tellingParent(scripted(forever({ lasts: 0, reason }), starts))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(run.value(), "rejected")
        assert.strictEqual(run.told.at(-1)!["reason"], reason)
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(starts.length, 6)
      }
    })
  )

  it.effect("waits at least as long as the peer asked for", () =>
    Effect.gen(function* () {
      const starts: Array<number> = []
      yield* tellingParent(scripted(forever({ lasts: 0, reason: "starting", retryAfterMs: 5_000 }), starts))
      yield* TestClock.adjust("21 seconds")
      assert.strictEqual(starts.length, 5)
    })
  )

  it.effect("waits for a peer that counts tries as long as it says, up to a quarter of an hour", () =>
    Effect.gen(function* () {
      for (const [retryAfterMs, tries] of [
        [120_000, 8],
        [10_000_000, 2]
      ] as const) {
        const starts: Array<number> = []
        yield* tellingParent(scripted(forever({ lasts: 0, reason: "limited", retryAfterMs }), starts))
        yield* TestClock.adjust("901 seconds")
        assert.strictEqual(starts.length, tries)
      }
    })
  )

  it.effect("tries a peer elsewhere at once when the network is another one; nobody here, and nobody who has asked for time", () =>
    Effect.gen(function* () {
      for (const [life, tries] of [
        [{ distance: "remote" }, 1],
        [{ distance: "remote", retryAfterMs: 60_000 }, 0]
      ] as const) {
        let network = "home"
        const starts: Array<number> = []
        const machine = scripted(forever({ lasts: 0, reason: "refused", ...life }), starts)
        yield* Effect.provideService(tellingParent(machine), NetworkNow, () => network)
        while (starts.length < 9) yield* TestClock.adjust("1 second") // By now it waits for 15 s, or for a minute.
        yield* TestClock.adjust("5 seconds")
        const before = starts.length
        network = "office"
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(starts.length - before, tries)
      }
      let looks = 0
      const here = networkChanged({ distance: "loopback" })
      yield* Effect.forkScoped(Effect.provideService(here, NetworkNow, () => String(++looks)))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(looks, 0)
    })
  )

  it.effect("believes a connection that comes and goes only after it has held", () =>
    Effect.gen(function* () {
      const run = yield* tellingParent(scripted(forever({ opensAfter: 5, lasts: 300, reason: "reset" })))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(run.told.filter(({ type }) => type === "session.up").length, 3)
      assert.strictEqual(run.told.filter(({ type }) => type === "session.lost").length, 3)
    })
  )

  it.effect("is up again once a flapping connection holds", () =>
    Effect.gen(function* () {
      function* lives(): Generator<Life> {
        for (let i = 0; i < 5; i++) yield { opensAfter: 5, lasts: 300, reason: "reset" }
        yield { opensAfter: 5, lasts: 3_600_000, reason: "reset" }
      }
      const run = yield* tellingParent(scripted(lives()))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(run.value(), { connection: "steadying" })
      assert.isTrue(run.snapshot().hasTag("degraded"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(run.value(), { connection: { up: "prompt" } })
    })
  )

  it.effect("never has two connections at once", () =>
    Effect.gen(function* () {
      let open = 0
      let most = 0
      let ever = 0
      const machine = sessionMachine.provide({
        actors: {
          network: fromEffect((_: { input: ConnectionEnd | undefined }): Effect.Effect<void> => Effect.never),
          connection: fromEffect(({ sendBack }) =>
            Effect.gen(function* () {
              if (++ever > 5) return yield* Effect.never
              yield* Effect.acquireRelease(
                Effect.sync(() => {
                  most = Math.max(most, ++open)
                }),
                () =>
                  Effect.andThen(
                    Effect.sleep(5_000),
                    Effect.sync(() => {
                      open -= 1
                    })
                  ) // A socket that takes its time to be gone.
              )
              sendBack({ type: "connection.opened", bootId: "b", atMs: 0 })
              yield* Effect.sleep(100)
              const end: ConnectionEnd = { reason: "reset", detail: "", atMs: 0, opened: true, chance: 0, distance: "loopback" }
              return end
            })
          )
        }
      })
      yield* tellingParent(machine)
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual([ever, most], [6, 1])
    })
  )

  it("fails loudly when nobody is plugged into its port", () => {
    const actor = createActor(sessionMachine)
    let error: unknown
    actor.subscribe({
      error: (caught) => {
        error = caught
      }
    })
    actor.start()
    assert.include(String(error), `port "connection" of actor "connection" has nobody plugged in`)
  })
})

describe("backoff", () => {
  it("doubles for another machine, up to half a minute, and a peer cannot put us off for more than a minute", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 20].map((failures) => backoffMs("remote", failures, 1)),
      [600, 1_100, 2_100, 30_100]
    )
    assert.strictEqual(backoffMs("remote", 1, 0), 100)
    assert.strictEqual(backoffMs("loopback", 1_000_000, 0, 1e15), 60_000)
    assert.isAtLeast(rejectedMs, 60_000)
  })
})

describe("flapping", () => {
  it("asks nothing before three losses in a minute, then one second, doubling, never more than thirty", () => {
    const losses = (n: number) => Array.from({ length: n }, (_, i) => i)
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5, 8, 50].map((n) => dwellMs(losses(n), 100)),
      [0, 0, 0, 1_000, 2_000, 4_000, 30_000, 30_000]
    )
    assert.strictEqual(dwellMs(losses(5), 61_000), 0)
    assert.deepStrictEqual(withLoss([1, 50_000], 61_000), [50_000, 61_000])
  })
})
