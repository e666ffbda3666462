/** How drills are shown: the table of scenarios, and under it what was measured, a column a scenario. */
import type { DrillReport } from "./drill.ts"
import { onTimeMs } from "./measure.ts"
import { scenarios } from "./scenarios.ts"

/** What is promised: one line a drill, the first one the heading. */
export const promiseTable = (reports: ReadonlyArray<DrillReport>): ReadonlyArray<ReadonlyArray<string>> => [
  ["scenario", "session layer", "gateway core", "skill runtime", "result"],
  ...reports.map(({ scenario }) => {
    const { title, session, gateway, skills, result } = scenarios[scenario]
    return [title, session, gateway, skills, result]
  })
]

/** What was measured: one line a figure, the first one the heading. */
export const measuredTable = (reports: ReadonlyArray<DrillReport>): ReadonlyArray<ReadonlyArray<string>> => [
  ["measured", ...reports.map(({ scenario }) => scenario)],
  ...lines.map(([name, figure]) => [name, ...reports.map(figure)])
]

const lines: ReadonlyArray<readonly [string, (report: DrillReport) => string]> = [
  ["lasted", ({ seconds }) => `${seconds} s`],
  ["time to detect", ({ detectMs }) => ms(detectMs)],
  ["slots due, from the loss to the end", ({ slots }) => `${slots.due}`],
  [`  started within ${onTimeMs} ms`, ({ slots }) => `${slots.onTime}`],
  ["  started late (latest by)", ({ slots }) => (slots.late === 0 ? "0" : `${slots.late} (${ms(slots.lateMaxMs)})`)],
  ["  held with a reason", ({ slots }) => `${slots.held}`],
  ["  done by a later slot's run", ({ slots }) => `${slots.coalesced}`],
  ["  skipped or missed, on record", ({ slots }) => `${slots.skipped + slots.missed}`],
  ["lost", ({ slots, runs }) => `${slots.lost + runs.unfinished}`],
  ["double", ({ slots, runs, steps }) => `${slots.doubled + runs.doubled + steps.repeated}`],
  ["runs in flight at the loss", ({ runs }) => `${runs.inFlight}`],
  ["  undisturbed / tried again / on record", ({ runs }) => `${runs.undisturbed} / ${runs.triedAgain} / ${runs.interrupted}`],
  ["  steps kept / done again", ({ steps }) => `${steps.kept} / ${steps.repeated}`],
  ["  cut short of its record, done again", ({ redoneUnrecorded }) => `${redoneUnrecorded}`],
  ["connected again after", ({ connectedMs }) => ms(connectedMs)],
  ["next slot started after", ({ firstStartMs }) => ms(firstStartMs)],
  ["reports on their way at the loss", ({ results }) => `${results.underWay}`],
  ["results in the session", ({ results }) => `${results.delivered} of ${results.owed}`],
  ["  missing / doubled / out of order", ({ results }) => `${results.missing} / ${results.doubled} / ${results.outOfOrder}`]
]

const ms = (value: number | null): string => (value === null ? "-" : `${value} ms`)
