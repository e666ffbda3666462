/** How late slots begin when many fall due at once: skills on one second's grid, so all of them at the same instant. */
import { createRuntime, type JournalEvent, skill } from "../src/index.ts"
import { type Effort, type Figure, pause, quantile, type Row, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "lateness of slots, every skill due every second",
  measure: async (effort) => [...(await lateness(100, effort)), ...(await lateness(1_000, effort, "p99 < 140 ms"))]
}

const lateness = async (count: number, effort: Effort, goal?: string): Promise<ReadonlyArray<Row>> => {
  const seconds = times(effort, { quick: 3, usual: 10 })
  using folder = temporaryFolder()
  const skills = Array.from({ length: count }, (_, i) => skill({ name: `skill-${i}`, schedule: { every: "1 second" }, run: () => {} }))
  const runtime = await createRuntime({ state: folder.path, skills })
  await pause(2_500) // The first rounds belong to the compiler.
  const slots = new Map<string, number>()
  const late: Array<number> = []
  let away = 0
  const fromMs = Math.ceil(Date.now() / 1_000) * 1_000 + 500
  const within = (slotAtMs: number): boolean => slotAtMs > fromMs && slotAtMs < fromMs + seconds * 1_000
  const stopListening = runtime.subscribe((event: JournalEvent) => {
    if (event.type === "run.claimed") slots.set(event.run, event.slot)
    if (event.type === "slot.settled") {
      for (let slotAtMs = event.slot; slotAtMs <= event.through; slotAtMs += 1_000) if (within(slotAtMs)) away += 1
    }
    if (event.type !== "attempt.started" || event.attempt > 1) return
    const slotAtMs = slots.get(event.run) ?? 0
    slots.delete(event.run)
    if (within(slotAtMs)) late.push(event.atMs - slotAtMs)
  })
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await pause(fromMs - Date.now() + seconds * 1_000)
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1_000 / (performance.now() - startedAt)
  for (let i = 0; i < 50 && late.length + away < count * seconds; i++) await pause(100) // The late ones count most.
  stopListening()
  await runtime.stop()
  const bare = await bareTimers(count, seconds)
  const shown = count.toLocaleString("en")
  return [
    { what: `${shown} skills, p50`, unit: "ms", samples: [quantile(late, 0.5)] },
    {
      what: `${shown} skills, p99`,
      unit: "ms",
      samples: [quantile(late, 0.99)],
      note: `${late.length} of ${count * seconds} started, ${away} skipped or coalesced`,
      ...(goal === undefined ? {} : { goal })
    },
    { what: `${shown} skills, processor`, unit: "of a core", samples: [share] },
    { what: `${shown} bare timers, p99`, unit: "ms", samples: [quantile(bare, 0.99)], note: "the same grid, nothing done or kept" }
  ]
}

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
