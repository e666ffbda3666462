/** What a runtime costs that has nothing to do: 100 skills, none due. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { built, isUp, up, writeSkills } from "./command.ts"
import { type Figure, pause, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "idle with 100 skills, each an hour apart",
  measure: async (effort) => {
    built()
    using folder = temporaryFolder()
    const [state, skills] = [join(folder.path, "state"), join(folder.path, "skills")]
    writeSkills(skills, 100, "1 hour")
    await using runtime = up(state, skills)
    await isUp(runtime, state)
    const pid = runtime.child.pid!
    await pause(times(effort, { quick: 3_000, usual: 10_000 }))
    const resident = residentMb(pid)
    const forMs = times(effort, { quick: 4_000, usual: 20_000 })
    const before = cpuMs(pid)
    await pause(forMs)
    return [
      { what: "resident memory", unit: "MB", samples: [resident], goal: "< 110 MB" },
      { what: "processor time", unit: "ms/s", samples: [(cpuMs(pid) - before) / (forMs / 1_000)], goal: "none to speak of" }
    ]
  }
}

const residentMb = (pid: number): number => Number(ps("rss", pid)) / 1_024

/** Of all its threads so far. Linux counts nanoseconds; elsewhere `ps` counts hundredths of a second. */
const cpuMs = (pid: number): number => {
  if (process.platform === "linux") {
    const tasks = readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8"))
    return tasks.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1e6, 0)
  }
  const [seconds = 0, minutes = 0, hours = 0] = ps("time", pid).split(":").map(Number).reverse()
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000
}

const ps = (field: string, pid: number): string => execFileSync("ps", ["-o", `${field}=`, "-p", String(pid)], { encoding: "utf8" }).trim()
