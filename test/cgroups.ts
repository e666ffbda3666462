/** Control groups for tests, of version 1 or 2: only where one can be made is one asked for. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs"
import { join } from "node:path"

type Controller = "memory" | "pids" | "freezer"

/** One group. A process is in it once its pid was written to `cgroup.procs`. */
export interface ControlGroup {
  readonly folder: string
  readonly version: 1 | 2
  /** Pids of what is in it. */
  readonly members: () => ReadonlyArray<number>
  /** Takes the empty group away. */
  readonly remove: () => void
}

/** Makes a group under our own one for this controller. The name of the limit differs between the versions. */
export const controlGroup = (controller: Controller): ControlGroup => {
  const groups = readFileSync("/proc/self/cgroup", "utf8")
  const [, ours1] = new RegExp(`^\\d+:(?:.+,)?${controller}(?:,.+)?:(.*)$`, "m").exec(groups) ?? []
  const [, ours2] = /^0::(.*)$/m.exec(groups) ?? []
  const version = ours1 === undefined ? 2 : 1
  const folder = join(
    "/sys/fs/cgroup",
    version === 1 ? controller : "",
    (version === 1 ? ours1 : ours2) ?? "",
    `holdfast-${process.pid}-${made++}`
  )
  mkdirSync(folder)
  return {
    folder,
    version,
    members: () => readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number),
    remove: () => rmdirSync(folder)
  }
}
let made = 0

/** The file with the limit: bytes of memory, or how many tasks there may be. */
export const limitFile = ({ folder, version }: ControlGroup, controller: "memory" | "pids"): string =>
  join(folder, controller === "pids" ? "pids.max" : version === 1 ? "memory.limit_in_bytes" : "memory.max")

/** Why no such group can be made here; nothing where one can. */
export const noControlGroup = (controller: Controller): string | undefined => {
  if (process.platform !== "linux") return "only Linux has control groups"
  try {
    const group = controlGroup(controller)
    try {
      const limit = controller === "freezer" ? join(group.folder, "cgroup.procs") : limitFile(group, controller)
      if (!existsSync(limit)) return `there is no ${limit}`
      const { status, stderr } = spawnSync("sh", ["-c", 'echo $$ > "$0/cgroup.procs"', group.folder], { encoding: "utf8" })
      return status === 0 ? undefined : stderr
    } finally {
      group.remove()
    }
  } catch (error) {
    return String(error)
  }
}
