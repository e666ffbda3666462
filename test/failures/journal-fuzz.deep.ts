import { assert, it } from "vitest"
import { flips, mutations, samples } from "./journalFuzz.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** Mutations: a budget of kills counts as so many thousands. */
const times = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200) * 1_000

it("no flipped bit and no random wrong makes a start crash, hang, or come to another state", async () => {
  const all = await samples()
  for (const [i, sample] of all.entries()) {
    const { tried, judge, wrong } = await flips(sample)
    assert.isUndefined(wrong)
    console.log(`flips: ${sample.name}: ${tried} bits, ${JSON.stringify(judge.came)}, slowest ${judge.slowestMs.toFixed(1)} ms`)
    const each = Math.ceil(times / all.length)
    const random = await mutations(sample, each, seed + i)
    assert.isUndefined(random.wrong, `seed ${seed + i}`)
    const { came, slowestMs } = random.judge
    console.log(`mutations: ${sample.name}: ${each}, seed ${seed + i}, ${JSON.stringify(came)}, slowest ${slowestMs.toFixed(1)} ms`)
  }
})
