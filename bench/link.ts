/**
 * The link: how soon its loss is a mode, and how soon it is connected again. Gateway and runtime share this process, so a
 * busy machine makes both late. Tries are counted at our end, as actors started: a gateway that is away sees nothing.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import { createRuntime, type Runtime } from "../src/index.ts"
import { type Control, EmbeddedGateway } from "../src/gateway/index.ts"
import { modeOf } from "../src/machines/runtime.ts"
import type { Mode } from "../src/machines/guarantees.ts"
import { type Figure, median, pause, quantile, type Row, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "the link: lost, and back",
  measure: async (effort) => {
    const aSecond = await oneByOne(times(effort, { quick: 3, usual: 12 }), () => outage(1_000))
    const tenSeconds = effort === "quick" ? [] : await together(6, () => outage(10_000))
    const aMinute = effort === "full" ? await together(6, () => outage(60_000)) : []
    const hung = await together(times(effort, { quick: 2, usual: 5 }), hang)
    return [
      { what: "session reset to degraded", unit: "ms", samples: aSecond.map(({ degradedMs }) => degradedMs), goal: "< 100 ms" },
      { what: "hung peer to degraded", unit: "ms", samples: hung, goal: "< 6,000 ms" },
      ...back("1 s", aSecond),
      ...back("10 s", tenSeconds),
      ...back("60 s", aMinute)
    ]
  }
}

interface Outage {
  readonly degradedMs: number
  readonly backMs: number
  /** Of the session, a second, while the gateway was away. */
  readonly tries: number
  /** Questions to its HTTP, a second. */
  readonly questions: number
}

const back = (away: string, outages: ReadonlyArray<Outage>): ReadonlyArray<Row> =>
  outages.length === 0
    ? []
    : [
        {
          what: `back after ${away}`,
          unit: "ms",
          samples: outages.map(({ backMs }) => backMs),
          goal: "median < 500 ms",
          note: `p90 ${quantile(
            outages.map(({ backMs }) => backMs),
            0.9
          ).toFixed(0)} ms`
        },
        {
          what: `tries while ${away} away`,
          unit: "/s",
          samples: outages.map(({ tries }) => tries),
          goal: "at most 5/s",
          note: `beside ${median(outages.map(({ questions }) => questions)).toFixed(1)} HTTP questions/s`
        }
      ]

/** The session is reset, comes back; then the gateway goes away for so long, and comes back. */
const outage = (awayMs: number): Promise<Outage> =>
  linked(async ({ runtime, control, count }) => {
    const degradedMs = await timed(async () => {
      await Effect.runPromise(control.drop)
      await reaches(runtime, isDegraded)
    })
    await reaches(runtime, (mode) => mode === "connected")
    await Effect.runPromise(control.refuse)
    await reaches(runtime, isDegraded)
    const before = { ...count }
    const away = awayMs + Math.random() * 250 // Else every trial would meet the same moment between two tries.
    await pause(away)
    const [tries, questions] = [count.tries - before.tries, count.questions - before.questions]
    await Effect.runPromise(control.accept)
    const backMs = await timed(() => reaches(runtime, (mode) => mode === "connected"))
    return { degradedMs, backMs, tries: tries / (away / 1_000), questions: questions / (away / 1_000) }
  })

const hang = (): Promise<number> =>
  linked(async ({ runtime, control }) => {
    await pause(Math.random() * 2_000) // Somewhere between two signs of life.
    const hungMs = await timed(async () => {
      await Effect.runPromise(control.hang)
      await reaches(runtime, isDegraded)
    })
    await Effect.runPromise(control.thaw)
    return hungMs
  })

const isDegraded = (mode: Mode): boolean => mode.startsWith("degraded")

interface Linked {
  readonly runtime: Runtime
  readonly control: Control
  readonly count: { tries: number; questions: number }
}

/** A gateway and a connected runtime, new for each trial: one that loses its session often is damped on purpose. */
const linked = <A>(trial: (linked: Linked) => Promise<A>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* Effect.acquireRelease(Effect.sync(temporaryFolder), (made) => Effect.sync(() => made[Symbol.dispose]()))
        const { url, control } = yield* EmbeddedGateway.make({
          port: 0,
          token: Redacted.make("a-token"),
          directory: join(folder.path, "gateway")
        })
        const count = { tries: 0, questions: 0 }
        const runtime = yield* Effect.acquireRelease(
          Effect.promise(() =>
            createRuntime({
              state: join(folder.path, "state"),
              gateway: { url, token: "a-token" },
              inspect: ({ type, actorRef }) => {
                if (type !== "@xstate.actor" || !("src" in actorRef)) return
                if (actorRef.src === "connection") count.tries += 1
                if (actorRef.src === "probe") count.questions += 1
              }
            })
          ),
          (made) => Effect.promise(() => made.stop({ now: true }))
        )
        return yield* Effect.promise(async () => {
          await reaches(runtime, (mode) => mode === "connected")
          return await trial({ runtime, control, count })
        })
      })
    )
  )

const reaches = ({ actor }: Runtime, wanted: (mode: Mode) => boolean): Promise<void> =>
  new Promise((resolve) => {
    if (wanted(modeOf(actor.getSnapshot()))) return resolve()
    const subscription = actor.subscribe((snapshot) => {
      if (!wanted(modeOf(snapshot))) return
      subscription.unsubscribe()
      resolve()
    })
  })

const timed = async (work: () => Promise<void>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const oneByOne = async <A>(count: number, trial: () => Promise<A>): Promise<ReadonlyArray<A>> => {
  const results: Array<A> = []
  for (let i = 0; i < count; i++) results.push(await trial())
  return results
}

const together = <A>(count: number, trial: () => Promise<A>): Promise<ReadonlyArray<A>> => Promise.all(Array.from({ length: count }, trial))
