/** What `holdfast status` takes, with the runtime at work and without it. */
import { join } from "node:path"
import { built, isUp, lasting, statusOf, up, writeSkills } from "./command.ts"
import { type Figure, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "holdfast status, from its start to its end",
  measure: async (effort) => {
    built()
    using folder = temporaryFolder()
    const [state, skills] = [join(folder.path, "state"), join(folder.path, "skills")]
    writeSkills(skills, 10, "1 hour")
    const often = times(effort, { quick: 3, usual: 11 })
    const repeated = async (measure: () => Promise<number>): Promise<ReadonlyArray<number>> => {
      const samples: Array<number> = []
      for (let i = 0; i < often; i++) samples.push(await measure())
      return samples
    }
    const whileUp = await (async () => {
      await using runtime = up(state, skills)
      await isUp(runtime, state)
      return await repeated(() => statusOf(state))
    })()
    return [
      { what: "while it is up", unit: "ms", samples: whileUp, goal: "< 150 ms", note: "10 skills" },
      { what: "while it is down", unit: "ms", samples: await repeated(() => statusOf(state)), goal: "< 150 ms" },
      { what: "node -e 0", unit: "ms", samples: await repeated(() => lasting("-e", "0")) }
    ]
  }
}
