/**
 * A burst of real processes: eight skills whose program is `true`, each triggered anew as soon as its run has settled, so that
 * eight run at a time. Beside it, in turns and in the same process: the same program started as often by nothing but Node.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Supervisor } from "../src/effect.ts"
import { layer } from "../src/layers/Holdfast.ts"
import { type Figure, median, temporaryFolder, times } from "./figure.ts"

const atOnce = 8

export const figure: Figure = {
  about: `a burst of processes, ${atOnce} at a time`,
  measure: async (effort) => {
    const count = times(effort, { quick: 200, usual: 1_000 })
    const ours: Array<number> = []
    const bare: Array<number> = []
    await inRuntime(atOnce * 5) // The first ones belong to the compiler.
    await inNode(atOnce * 5)
    for (let round = 0; round < times(effort, { quick: 3, usual: 5 }); round++) {
      ours.push(await inRuntime(count))
      bare.push(await inNode(count))
    }
    const shown = count.toLocaleString("en")
    return [
      {
        what: `${shown} through the runtime`,
        unit: "ms",
        samples: ours,
        note: `${(median(ours) / count).toFixed(1)} ms each; four appends, a folder`
      },
      { what: `${shown} of child_process.spawn`, unit: "ms", samples: bare, note: `${(median(bare) / count).toFixed(1)} ms each` },
      { what: "runtime to spawn", unit: "ratio", samples: ours.map((ms, round) => ms / bare[round]!) }
    ]
  }
}

/** How long so many runs take, from the first trigger to the last outcome on record, in milliseconds. */
const inRuntime = async (count: number): Promise<number> => {
  using folder = temporaryFolder()
  const names = Array.from({ length: atOnce }, (_, i) => `skill-${i}`)
  for (const name of names) {
    mkdirSync(join(folder.path, "skills", name), { recursive: true })
    const text = `---\nname: ${name}\ndescription: Nothing.\nmetadata: { holdfast: { run: ["true"], retry: { attempts: 1 } } }\n---\n`
    writeFileSync(join(folder.path, "skills", name, "SKILL.md"), text)
  }
  return await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const options = { state: join(folder.path, "state"), skillsFolders: [join(folder.path, "skills")] }
        const supervisor = Context.get(yield* Layer.build(layer(options)), Supervisor)
        while (names.some((name) => supervisor.actor(name)?.getSnapshot().context.gate.open !== true)) yield* Effect.sleep(5)
        return yield* timed(count, (i) => {
          const settled = Effect.callback<void>((resume) => {
            const subscription = supervisor.actor(names[i]!)!.subscribe(({ context }) => {
              if (context.runs.length > 0) return
              subscription.unsubscribe()
              resume(Effect.void)
            })
          })
          return Effect.andThen(supervisor.trigger(names[i]!), settled)
        })
      })
    )
  )
}

const inNode = (count: number): Promise<number> =>
  Effect.runPromise(
    timed(count, () =>
      Effect.callback<void>((resume) => {
        spawn("true", { detached: true, stdio: "ignore" }).once("exit", () => resume(Effect.void))
      })
    )
  )

const timed = <E, R>(count: number, once: (lane: number) => Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    let begun = 0
    const lane = (i: number) =>
      Effect.gen(function* () {
        while (begun++ < count) yield* once(i)
      })
    return Effect.as(Effect.forEach(Array.from({ length: atOnce }).keys(), lane, { concurrency: atOnce, discard: true }), startedAt)
  }).pipe(Effect.map((startedAt) => performance.now() - startedAt))
