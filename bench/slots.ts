/**
 * How late slots begin when many fall due at once: skills on one second's grid, so all of them at the same instant. A slot is late by
 * the time from its instant to the first statement of its skill; its claim, by the time until a crash could not undo it.
 */
import { createRuntime, type JournalEvent, skill, type SkillContext } from "../src/index.ts"
import { type Effort, type Figure, pause, quantile, type Row, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "lateness of slots, every skill due every second",
  measure: async (effort) => {
    const rows = [...(await lateness(100, effort)), ...(await lateness(1_000, effort, { begun: "p99 < 150 ms", claimed: "p99 < 30 ms" }))]
    if (effort !== "full") return rows
    for (const count of [2_000, 3_000, 5_000, 10_000]) rows.push(...(await lateness(count, effort)))
    return rows
  }
}

const lateness = async (
  count: number,
  effort: Effort,
  goals: { readonly begun?: string; readonly claimed?: string } = {}
): Promise<ReadonlyArray<Row>> => {
  const seconds = times(effort, { quick: 3, usual: 10 })
  using folder = temporaryFolder()
  let fromMs = Infinity
  const begun: Array<number> = []
  const claimed: Array<number> = []
  let away = 0
  const within = (slotAtMs: number): boolean => slotAtMs > fromMs && slotAtMs < fromMs + seconds * 1_000
  const note = (late: Array<number>, slotAtMs: number) => {
    if (within(slotAtMs)) late.push(Date.now() - slotAtMs)
  }
  const run = ({ slot }: SkillContext) => note(begun, slot.getTime())
  const skills = Array.from({ length: count }, (_, i) => skill({ name: `skill-${i}`, schedule: { every: "1 second" }, run }))
  const runtime = await createRuntime({ state: folder.path, skills })
  await pause(2_500) // The first rounds belong to the compiler.
  const stopListening = runtime.subscribe((event: JournalEvent) => {
    if (event.type === "run.claimed") note(claimed, event.slot)
    if (event.type === "slot.settled") {
      for (let slotAtMs = event.slot; slotAtMs <= event.through; slotAtMs += 1_000) if (within(slotAtMs)) away += 1
    }
  })
  fromMs = Math.ceil(Date.now() / 1_000) * 1_000 + 500
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await pause(fromMs - Date.now() + seconds * 1_000)
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1_000 / (performance.now() - startedAt)
  for (let i = 0; i < 50 && begun.length + away < count * seconds; i++) await pause(100) // The late ones count most.
  stopListening()
  await runtime.stop()
  const bare = await bareTimers(count, seconds)
  const shown = count.toLocaleString("en")
  const inTime = begun.filter((lateMs) => lateMs < 1_000).length
  const counts = `${inTime} of ${count * seconds} within their second, ${begun.length - inTime} later, ${away} skipped or coalesced`
  return [
    { what: `${shown} skills, p50`, unit: "ms", samples: [quantile(begun, 0.5)] },
    { what: `${shown} skills, p99`, unit: "ms", samples: [quantile(begun, 0.99)], note: counts, ...goalOf(goals.begun) },
    { what: `${shown} claims on record, p99`, unit: "ms", samples: [quantile(claimed, 0.99)], ...goalOf(goals.claimed) },
    { what: `${shown} skills, processor`, unit: "of a core", samples: [share] },
    { what: `${shown} bare timers, p99`, unit: "ms", samples: [quantile(bare, 0.99)], note: "the same grid, nothing done or kept" }
  ]
}

const goalOf = (goal: string | undefined) => (goal === undefined ? {} : { goal })

const bareTimers = async (count: number, seconds: number): Promise<ReadonlyArray<number>> => {
  const late: Array<number> = []
  const firstMs = Math.ceil(Date.now() / 1_000) * 1_000 + 1_000
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (let slotAtMs = firstMs; slotAtMs < firstMs + seconds * 1_000; slotAtMs += 1_000) {
        await pause(slotAtMs - Date.now())
        late.push(Date.now() - slotAtMs)
      }
    })
  )
  return late
}
