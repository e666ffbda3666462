/**
 * A start after a kill, with 1,000 runs under way: from the process's beginning until it is ready. The next one has to
 * come to an end of each of them, once. The built package, as users start it.
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { journalIn } from "../test/journal.ts"
import { type Figure, median, type Row, temporaryFolder, times } from "./figure.ts"

const pending = 1_000

export const figure: Figure = {
  about: "a start after kill -9 with 1,000 runs under way (npm run build first)",
  measure: async (effort) => {
    const [ready, bare, empty]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
    let [lost, twice] = [0, 0]
    for (let n = times(effort, { quick: 1, usual: 5 }); n > 0; n--) {
      using folder = temporaryFolder()
      const state = join(folder.path, "state")
      await life(state, "begin").killed()
      ready.push((await life(state, "end").ended()).readyMs)
      const settled = new Map<string, number>()
      for (const event of journalIn(state)) if (event.type === "run.settled") settled.set(event.run, (settled.get(event.run) ?? 0) + 1)
      lost += pending - settled.size
      twice += [...settled.values()].filter((times) => times > 1).length
      rmSync(state, { recursive: true })
      empty.push((await life(state, "nothing").ended()).readyMs)
      bare.push((await life(state, "bare").ended()).readyMs)
    }
    const rows: Array<Row> = [
      { what: "until ready", unit: "ms", samples: ready, goal: "< 500 ms", note: `${lost} lost, ${twice} ended twice` },
      { what: "the same with nothing under way", unit: "ms", samples: empty, note: "1,000 skills, an empty directory" },
      { what: "the package alone, loaded", unit: "ms", samples: bare },
      { what: "1,000 runs under way", unit: "ms", samples: [median(ready) - median(empty)] }
    ]
    return rows
  }
}

const life = (state: string, what: string) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "bootLife.mjs"), state, what, String(pending)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  let said = ""
  const left = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const under = new Promise<void>((resolve) =>
    child.stdout.on("data", (data) => {
      said += String(data)
      if (said.includes("under way")) resolve()
    })
  )
  return {
    killed: () => under.then(() => child.kill("SIGKILL")).then(() => left),
    ended: () => left.then(() => JSON.parse(said.split("\n")[0]!) as { readonly readyMs: number })
  }
}
