/**
 * Measures and prints: `node --conditions=holdfast-source bench/main.ts [FIGURE...] [--quick | --full] [--json]`.
 *
 * Several figures are measured one after the other, each in a process of its own, so that none inherits another's heap.
 * What is measured on a busy machine says little: the load is printed with it, and only ratios of one run carry over.
 */
import { execFileSync } from "node:child_process"
import { availableParallelism, cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { type Effort, type Figure, median, type Row } from "./figure.ts"

const figures: Readonly<Record<string, () => Promise<{ readonly figure: Figure }>>> = {
  start: () => import("./start.ts"),
  status: () => import("./status.ts"),
  idle: () => import("./idle.ts"),
  append: () => import("./append.ts"),
  recovery: () => import("./recovery.ts"),
  boot: () => import("./boot.ts"),
  runs: () => import("./runs.ts"),
  processes: () => import("./processes.ts"),
  link: () => import("./link.ts"),
  reconnect: () => import("./reconnect.ts"),
  slots: () => import("./slots.ts")
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean" }, full: { type: "boolean" }, json: { type: "boolean" } }
})
const unknown = positionals.filter((name) => !Object.hasOwn(figures, name))
if (unknown.length > 0) {
  console.error(`No figure is called ${unknown.join(", ")}: there are ${Object.keys(figures).join(", ")}.`)
  process.exit(64)
}
const effort: Effort = values.full ? "full" : values.quick ? "quick" : "usual"
const wanted = positionals.length > 0 ? positionals : Object.keys(figures)

interface Measured {
  readonly figure: string
  readonly about: string
  /** The machine's load (of one minute) before and after. */
  readonly load: readonly [number, number]
  readonly rows: ReadonlyArray<Row>
}

if (!values.json)
  console.log(`Node ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${effort}`)
const measured: Array<Measured> = []
for (const name of wanted) {
  const one = wanted.length === 1 ? await here(name) : apart(name)
  measured.push(one)
  if (!values.json) show(one)
}
if (values.json) console.log(JSON.stringify(measured))

async function here(name: string): Promise<Measured> {
  const { figure } = await figures[name]!()
  const before = loadavg()[0]!
  const rows = await figure.measure(effort)
  return { figure: name, about: figure.about, load: [before, loadavg()[0]!], rows }
}

function apart(name: string): Measured {
  const flags = [name, "--json", ...(effort === "usual" ? [] : [`--${effort}`])]
  const answer = execFileSync(process.execPath, [...process.execArgv, import.meta.filename, ...flags], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  return (JSON.parse(answer.slice(answer.lastIndexOf("\n[") + 1)) as ReadonlyArray<Measured>)[0]!
}

function show({ figure, about, load, rows }: Measured): void {
  console.log(`\n${figure}: ${about} (load ${load.map((one) => one.toFixed(1)).join(" to ")})`)
  const table = [
    ["", "median", "range", "goal", ""],
    ...rows.map(({ what, unit, samples, goal = "", note = "" }) => [
      what,
      `${number(median(samples))} ${unit}`,
      samples.length > 1 ? `${number(Math.min(...samples))} - ${number(Math.max(...samples))}` : "",
      goal,
      note
    ])
  ]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  for (const row of table) console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd())
}

function number(value: number): string {
  return value >= 1_000
    ? Math.round(value).toLocaleString("en")
    : value >= 10
      ? value.toFixed(0)
      : value >= 1
        ? value.toFixed(1)
        : value.toFixed(3)
}
