/**
 * The skills of a drill: a few a second, each in a process of its own, and each keeps a book that nobody else writes in.
 *
 * `pipeline` and `reading` fall due at the same instant, so there is a moment at which one of them has steps behind it and
 * the other is in the middle of its work.
 */
import type { Need } from "../../domain/Skill.ts"

export interface DrillSkill {
  readonly name: string
  readonly needs: ReadonlyArray<Need>
  /** By name: what stands in the skill's folder. */
  readonly files: Readonly<Record<string, string>>
}

/** The steps of `pipeline`. */
const stepNames = ["collect", "write", "publish"] as const
/** How long `reading` takes: longer than a runtime is down in a drill, so that its process is met alive by the next one. */
const readingMs = 4_000
const stepMs = 600

/** Every skill, as files. `book` is the file of effects, absolute; `node` the program that runs them. */
export const drillSkills = (book: string, node: string): ReadonlyArray<DrillSkill> => {
  const program = (name: string, every: string, workMs: number, needs: ReadonlyArray<Need> = []): DrillSkill => ({
    name,
    needs,
    files: {
      "SKILL.md": skillFile(name, `${every}\n    run: ${JSON.stringify([node, "work.mjs"])}\n    needs: ${JSON.stringify(needs)}`),
      "work.mjs": work(book, workMs)
    }
  })
  return [
    program("heartbeat", every("1 second"), 0),
    program("inbox", every("1 second", 500), 0),
    program("reading", every("6 seconds"), readingMs),
    program("session-digest", every("2 seconds", 250), 0, ["session"]),
    program("gateway-sync", every("2 seconds", 1_250), 0, ["gateway"]),
    {
      name: "pipeline",
      needs: [],
      files: { "SKILL.md": skillFile("pipeline", `${every("3 seconds")}\n    module: ./pipeline.mjs`), "pipeline.mjs": pipeline(book) }
    }
  ]
}

/** On a grid of its own where `afterMs` says so: not everything starts in the same millisecond. */
const every = (text: string, afterMs = 0): string => `schedule: { every: "${text}", anchor: "${new Date(afterMs).toISOString()}" }`

const skillFile = (name: string, settings: string): string => `---
name: ${name}
description: Part of a drill.
metadata:
  holdfast:
    ${settings}
    report: { when: always }
    quarantine: { failures: 0 }
---
Keeps a book of what it did, so that a drill can compare it with the journal.
`

/** One line is one write to a file opened for appending: lines of several processes do not mix. */
const work = (book: string, workMs: number): string => `import { appendFileSync } from "node:fs"
const { HOLDFAST_RUN_ID: run, HOLDFAST_SLOT: slot, HOLDFAST_ATTEMPT: attempt } = process.env
const startedAtMs = Date.now()
setTimeout(() => appendFileSync(${JSON.stringify(book)}, \`\${run},\${slot},\${attempt},\${startedAtMs}\\n\`), ${workMs})
`

const pipeline = (book: string): string => `import { appendFileSync } from "node:fs"
export default async (ctx) => {
  const done = (step) => appendFileSync(${JSON.stringify(book)}, \`\${ctx.run},\${ctx.slot.toISOString()},\${ctx.attempt},\${Date.now()},\${step}\\n\`)
  for (const step of ${JSON.stringify(stepNames)}) {
    await ctx.step(step, () => new Promise((resolve) => setTimeout(() => resolve(done(step)), ${stepMs})))
  }
  done("")
}
`
