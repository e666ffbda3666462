/** From the start of the process to the first slot that was due already: what a crash at the wrong moment costs a skill. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { JournalEvent } from "../src/index.ts"
import { built, lasting, up, writeSkills } from "./command.ts"
import { type Figure, pause, temporaryFolder, times, until } from "./figure.ts"

export const figure: Figure = {
  about: "process start to the first due slot at work",
  measure: async (effort) => {
    built()
    using folder = temporaryFolder()
    const [state, skills] = [join(folder.path, "state"), join(folder.path, "skills")]
    writeSkills(skills, 1, "1 second")
    await firstAttempt(state, skills) // Adopts the schedule: from here on each start finds slots that were missed.
    const ours: Array<number> = []
    const node: Array<number> = []
    for (let i = 0; i < times(effort, { quick: 3, usual: 7 }); i++) {
      await pause(1_500)
      ours.push(await firstAttempt(state, skills))
      node.push(await lasting("-e", "0"))
    }
    return [
      { what: "until attempt.started", unit: "ms", samples: ours, goal: "< 400 ms", note: "as stamped, right before its sync" },
      { what: "node -e 0, start to end", unit: "ms", samples: node },
      { what: "ours to node's", unit: "ratio", samples: ours.map((ms, i) => ms / node[i]!) }
    ]
  }
}

const firstAttempt = async (state: string, skills: string): Promise<number> => {
  const before = new Set(segments(state))
  await using runtime = up(state, skills)
  const startedAtMs = await until("an attempt", () => {
    const segment = segments(state).find((name) => !before.has(name))
    return segment === undefined ? undefined : attemptIn(join(state, "journal", segment))
  })
  return startedAtMs - runtime.startedAtMs
}

const segments = (state: string): ReadonlyArray<string> => {
  try {
    return readdirSync(join(state, "journal"))
  } catch {
    return []
  }
}

const attemptIn = (segment: string): number | undefined => {
  const line = readFileSync(segment, "utf8")
    .split("\n")
    .find((one) => one.includes(`{"type":"attempt.started"`) && one.endsWith("}"))
  return line === undefined ? undefined : (JSON.parse(line.slice(line.indexOf("{"))) as JournalEvent).atMs
}
