/**
 * A program: plays a scenario on a real disk, and says on its first output what it asks for and what it is acknowledged,
 * line by line, before it goes on. It is killed from outside.
 *
 *     node player.ts SCENARIO DIRECTORY TURN
 *
 * `begin` for each start; `+ START SIZE NAME` for each append and `= START N` for each that was acknowledged; `over`.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { writeSync } from "node:fs"
import { diskNode } from "../../src/layers/DiskNode.ts"
import { scenarios } from "./scenarios.ts"
import { starts } from "./stage.ts"

const [name, directory = "", turn] = process.argv.slice(2)
const scenario = scenarios.find((one) => one.name === name)
if (scenario === undefined) throw new Error(`no scenario is called ${name}`)

const say = (line: string) => void writeSync(1, `${line}\n`)
let begun = 0
const made = starts(
  () => ({ ...diskNode, simulated: true }), // Its lock is another matter, and has its own tests.
  directory,
  () => {
    const start = begun++
    say("begin")
    return {
      submitted: (_, name, size) => say(`+ ${start} ${size} ${name}`),
      acknowledged: (n) => say(`= ${start} ${n}`)
    }
  }
)
const nothing = () => {}
const played = scenario.play({ start: made.start, kill: nothing, cut: nothing, refuse: nothing, failSync: nothing }, Number(turn ?? 1))
await Effect.runPromise(Effect.ignore(played).pipe(Effect.provide(Logger.layer([]))))
say("over")
process.exit(0) // As it is: what would be written at an orderly end is no part of it.
