/** The three scenarios as drills, for a command or a test to run. */
export { type DrillOptions, type DrillReport, runDrill } from "./drill.ts"
export { type Measures, onTimeMs } from "./measure.ts"
export { type Scenario, type ScenarioName, scenarios } from "./scenarios.ts"
export { measuredTable, promiseTable } from "./table.ts"
export type { RuntimeCommand } from "./world.ts"
