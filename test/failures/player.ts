/**
 * A program: plays a scenario on a real disk, and says on its first output what it asks for and what it is acknowledged,
 * line by line, before it goes on. It is killed from outside.
 *
 *     node player.ts SCENARIO DIRECTORY TURN
 *
 * `begin` for each start; `+ START SIZE NAME` for each append and `= START N` for each that was acknowledged;
 * `copied START N` for a backup begun after N of them; `refused` where another process holds the directory; `over`. The
 * holder of a hand-over waits for a byte on its input.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { readSync, writeSync } from "node:fs"
import { diskNode } from "../../src/layers/DiskNode.ts"
import { handOver, scenarios, type Stage } from "./scenarios.ts"
import { starts } from "./stage.ts"

const [name, directory = "", turn] = process.argv.slice(2)
const scenario = [...scenarios, handOver.holder, handOver.next].find((one) => one.name === name)
if (scenario === undefined) throw new Error(`no scenario is called ${name}`)

const say = (line: string) => void writeSync(1, `${line}\n`)
let begun = 0
const made = starts(
  () => (scenario.overlaps ? { ...diskNode, simulated: true } : diskNode),
  directory,
  () => {
    const start = begun++
    say("begin")
    return {
      submitted: (_, name, size) => say(`+ ${start} ${size} ${name}`),
      acknowledged: (n) => say(`= ${start} ${n}`),
      copied: (acknowledged) => say(`copied ${start} ${acknowledged}`)
    }
  }
)
const nothing = () => {}
const stage: Stage = {
  start: made.start,
  kill: nothing,
  cut: nothing,
  refuse: nothing,
  failSync: nothing,
  visited: Effect.sync(() => void readSync(0, Buffer.alloc(1))),
  refused: Effect.sync(() => say("refused"))
}
const played = scenario.play(stage, Number(turn ?? 1))
await Effect.runPromise(Effect.ignore(played).pipe(Effect.provide(Logger.layer([]))))
say("over")
process.exit(0) // As it is: what would be written at an orderly end is no part of it.
