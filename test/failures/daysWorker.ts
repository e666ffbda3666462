/**
 * Lives through histories of days in a process of its own: `daysWorker.ts SEED DAYS [PATH]`. It answers with one line of JSON: what it
 * was told, and how the property failed, if it did. A failure prints its path: given that, it is looked for the smallest history that
 * fails, which may take minutes.
 */
import fc from "fast-check"
import { argv } from "node:process"
import { dayHistories, historyDays } from "./dayHistories.ts"
import { lived, type Told } from "./days.ts"

const [seed, days] = argv.slice(2, 4).map(Number) as [number, number]
const path = argv[4]
const told: Told = {}
const report = await fc.check(
  fc.asyncProperty(dayHistories(Math.min(days, historyDays)), async (history) => {
    const one = await lived(history)
    for (const [name, count] of Object.entries(one.told)) told[name] = (told[name] ?? 0) + count
    if (one.violations.length > 0) throw new Error(JSON.stringify(one.violations.slice(0, 5)))
  }),
  { seed, numRuns: Math.ceil(days / historyDays), ...(path === undefined ? { endOnFailure: true } : { path }) }
)
console.log(JSON.stringify({ told, failure: report.failed ? fc.defaultReportMessage(report) : undefined }))
