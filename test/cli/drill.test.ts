import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type DrillReport, measuredTable, promiseTable, type ScenarioName } from "../../src/testing/drill/index.ts"
import { bin } from "../built.ts"

const temporary = mkdtempSync(join(realpathSync(tmpdir()), "holdfast-drills-"))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The command as a user calls it, with its temporary folders in ours. */
const drill = (...argv: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((done) => {
    const child = spawn(process.execPath, [bin, "drill", ...argv], { env: { ...process.env, TMPDIR: temporary } })
    const said = { stdout: "", stderr: "" }
    child.stdout.on("data", (chunk: Buffer) => {
      said.stdout += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      said.stderr += chunk.toString()
    })
    child.once("close", (code) => done({ code, ...said }))
  })

/** All three at a time: each of them mostly waits. */
const reports = new Map<ScenarioName, DrillReport>()
const ended = new Map<ScenarioName, Ended>()
beforeAll(async () => {
  const lasting = { "session-loss": "4", partition: "4", restart: "2" } as const
  await Promise.all(
    Object.entries(lasting).map(async ([scenario, seconds]) => {
      const end = await drill(scenario, "--json", "--seconds", seconds)
      ended.set(scenario as ScenarioName, end)
      const { drills } = JSON.parse(end.stdout) as { readonly drills: ReadonlyArray<DrillReport> }
      reports.set(scenario as ScenarioName, drills[0]!)
    })
  )
}, 150_000)

const report = (scenario: ScenarioName): DrillReport => reports.get(scenario)!
const all = ["session-loss", "partition", "restart"] as const

describe.each(all)("the drill %s", (scenario) => {
  it("loses no slot and no result, does nothing twice, and leaves with 0", () => {
    const { ok, trouble, violations, slots, runs, steps, results } = report(scenario)
    expect({ trouble, violations }).toEqual({ trouble: [], violations: [] })
    expect([slots.lost, slots.doubled, slots.unheld, slots.stalled, runs.unfinished, runs.doubled, steps.repeated]).toEqual([
      0, 0, 0, 0, 0, 0, 0
    ])
    expect([results.missing, results.doubled, results.outOfOrder, results.parked]).toEqual([0, 0, 0, 0])
    expect(results.owed).toBeGreaterThan(0)
    expect(results.delivered).toBe(results.owed)
    expect(ok).toBe(true)
    expect(ended.get(scenario)?.code).toBe(0)
  })

  it("really took its layer away, with runs in flight and a report on its way, and saw it come back", () => {
    const { faultSeen, runs, results, connectedMs, firstStartMs } = report(scenario)
    expect(faultSeen).toBe(true)
    expect(results.underWay).toBeGreaterThan(0)
    expect(runs.inFlight).toBeGreaterThan(0)
    expect(connectedMs).toBeGreaterThanOrEqual(0)
    expect(firstStartMs).toBeGreaterThanOrEqual(0)
  })

  it("accounts for every slot that was due", () => {
    const { due, onTime, late, held, coalesced, skipped, missed } = report(scenario).slots
    expect(due).toBeGreaterThanOrEqual(20)
    expect(onTime + late + held + coalesced + skipped + missed).toBe(due)
  })

  it("keeps nothing after success", () => {
    expect(report(scenario).directory).toBeUndefined()
    expect(readdirSync(temporary).filter((name) => name.startsWith(`holdfast-drill-${scenario}-`))).toEqual([])
  })
})

describe("what each drill shows", () => {
  it("session-loss: HTTP stays up, runs in flight are not touched, and only what needs the session waits, with the reason", () => {
    const { modes, heldFor, runs, slots, detectMs } = report("session-loss")
    expect(modes[0]).toBe("degraded.sessionLost")
    expect(modes).not.toContain("degraded.partitioned")
    expect(detectMs).toBeGreaterThanOrEqual(0)
    expect(runs).toMatchObject({ undisturbed: runs.inFlight, triedAgain: 0 })
    expect(heldFor.map(({ skill }) => skill)).toEqual(["session-digest"])
    expect(heldFor[0]?.reason).toContain("needs session")
    expect(slots.held).toBeGreaterThan(0)
  })

  it("partition: only what needs the session or the gateway waits, each with its reason", () => {
    const { modes, heldFor, runs, slots } = report("partition")
    expect(modes).toContain("degraded.partitioned")
    expect(runs).toMatchObject({ undisturbed: runs.inFlight, triedAgain: 0 })
    expect(heldFor.map(({ skill }) => skill).toSorted()).toEqual(["gateway-sync", "session-digest"])
    expect(slots.held).toBeGreaterThan(1)
  })

  it("restart: interrupted runs are tried again, finished steps are kept, slots of the time between have their record", () => {
    const { runs, steps, slots } = report("restart")
    expect(runs).toMatchObject({ undisturbed: 0, triedAgain: runs.inFlight })
    expect(steps.kept).toBeGreaterThan(0)
    expect(slots.coalesced).toBeGreaterThan(0)
  })
})

describe("the command", () => {
  it("prints the scenarios and what was measured, a column a drill", () => {
    const three = all.map(report)
    expect(promiseTable(three)[2]).toEqual([
      "network partition",
      "failed",
      "failed",
      "ok",
      "local skills only; the others wait with a reason"
    ])
    const measured = measuredTable(three)
    expect(measured[0]).toEqual(["measured", ...all])
    expect(measured.find(([name]) => name === "lost")).toEqual(["lost", "0", "0", "0"])
  })

  it("refuses an unknown drill as a usage error and touches nothing", async () => {
    const before = readdirSync(temporary)
    const { code, stderr } = await drill("partitoin")
    expect(code).toBe(64)
    expect(stderr).toContain("DRILL_UNKNOWN")
    expect(readdirSync(temporary)).toEqual(before)
  })

  it("removes its folder and ends its runtime when it is broken off", async () => {
    const child = spawn(process.execPath, [bin, "drill", "partition"], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "ignore", "pipe"]
    })
    const code = new Promise((done) => {
      child.once("close", done)
    })
    const folder = () => readdirSync(temporary).find((name) => name.startsWith("holdfast-drill-partition-"))
    while (folder() === undefined || !existsSync(join(temporary, folder()!, "state", "status.json"))) {
      expect(child.exitCode).toBeNull()
      await new Promise((next) => setTimeout(next, 50))
    }
    const { pid } = JSON.parse(readFileSync(join(temporary, folder()!, "state", "status.json"), "utf8")) as { readonly pid: number }
    child.kill("SIGTERM")
    expect(await code).toBe(1)
    expect(() => process.kill(pid, 0)).toThrow("ESRCH")
    expect(folder()).toBeUndefined()
  }, 30_000)
})
