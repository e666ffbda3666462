/**
 * One life of a runtime with many skills: `begin` starts a run of each and waits to be killed, `end` lets them all end.
 * JavaScript, since what Node takes to strip types is no part of what is measured.
 */
import { createRuntime, skill } from "holdfast"

const [state = "", what, count] = process.argv.slice(2)
if (what === "bare") {
  console.log(JSON.stringify({ readyMs: performance.now() }))
  process.exit(0)
}
let [begun, settled] = [0, 0]
const names = Array.from({ length: Number(count) }, (_, i) => `skill-${i}`)
const skills = names.map((name) => skill({ name, run: () => (what === "begin" ? new Promise(() => {}) : undefined) }))
const runtime = await createRuntime({
  state,
  skills,
  onEvent: ({ type }) => {
    if (type === "attempt.started" && ++begun === names.length && what === "begin") console.log("under way")
    if (type === "run.settled") settled += 1
  }
})
const readyMs = performance.now()
if (what === "begin") await Promise.all(names.map((name) => runtime.trigger(name)))
else {
  while (what === "end" && settled < names.length) await new Promise((resolve) => setTimeout(resolve, 20))
  await runtime.stop()
  console.log(JSON.stringify({ readyMs }))
}
