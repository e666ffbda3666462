/**
 * Real file systems that lose their power: a scenario on a mounted image, the process killed at one of its calls or at some
 * instant, or one of its syncs refused, and the file system shut down at once, without writing what it still holds. What a
 * mount finds afterwards is judged.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { done } from "../mounts.ts"
import { type Blow, boundariesOf, errno, joined, judge, type Kit, play, prepare, type Tried, unable } from "./boundaries.ts"
import { mulberry32 } from "./mulberry32.ts"
import { handOver, scenarios } from "./scenarios.ts"

/** The file systems that are tried, with the size of their image and how it is made. */
export const fileSystems = {
  ext4: { megabytes: 64, make: ["mkfs.ext4", "-q", "-F"] },
  xfs: { megabytes: 320, make: ["mkfs.xfs", "-q", "-f"] }
} as const
export type FileSystem = keyof typeof fileSystems

/** Why the power cannot be cut here; nothing where it can. */
export const uncuttable = (kit: Kit, type: FileSystem): string | undefined => {
  const because = unable()
  if (because !== undefined) return because
  if (process.getuid?.() !== 0) return "this user is not root"
  for (const [program, ...args] of [
    [fileSystems[type].make[0], "-V"],
    ["xfs_io", "-V"]
  ] as const) {
    if (spawnSync(program, args).status !== 0) return `there is no ${program}`
  }
  const image = new Image(kit, type, "trial")
  try {
    image.make()
    image.mount()
    return image.cut()
  } catch (error) {
    return String(error)
  } finally {
    image.end()
  }
}

/** So many cuts, over all scenarios but that of a full disk; what came of each scenario, by its name. */
export const powerCuts = async (kit: Kit, type: FileSystem, cuts: number, seed: number): Promise<ReadonlyMap<string, Tried>> => {
  const random = mulberry32(seed)
  const below = (n: number) => Math.floor(random() * n)
  const chosen = scenarios.filter(({ fails }) => fails !== "full")
  const image = new Image(kit, type, "image")
  const all = new Map<string, Tried>()
  try {
    image.make()
    for (const scenario of chosen) {
      const boundaries = (await boundariesOf(kit, scenario, join(kit.folder, `calls-${type}`))).length
      all.set(scenario.name, { boundaries, kills: 0, missed: 0, violations: [] })
    }
    for (let n = 0; n < cuts; n++) {
      const scenario = chosen[n % chosen.length]!
      const { boundaries, kills, missed, violations } = all.get(scenario.name)!
      const at = 1 + below(boundaries)
      const how = random()
      const killAfterMs = below(80)
      const blow: Blow =
        scenario.fails === "sync"
          ? { at, errno: errno.io, sticky: how < 0.5 }
          : how < 0.3
            ? { at, torn: below(100) }
            : how < 0.8
              ? { at, when: how < 0.55 ? "before" : "after" }
              : { at: 0 }
      const byClock = blow.at === 0 || scenario.fails === "sync"
      image.mount()
      prepare(scenario, image.folder)
      image.settle()
      let played = await play(kit, scenario, image.folder, blow, byClock ? { killAfterMs } : {})
      // What the killed one wrote and did not sync can still be read, and the power goes when the next one has built on it.
      const then: Blow | undefined = random() < 0.4 ? { at: 10 + below(30), when: "after" } : undefined
      if (then !== undefined) played = joined(played, await play(kit, handOver.next, image.folder, then))
      const refused = image.cut()
      if (refused !== undefined) throw new Error(refused)
      image.mount()
      const wrong = await judge(scenario, image.folder, played)
      const what = `${type}, seed ${seed}, cut ${n + 1}, ${scenario.name}, ${JSON.stringify([blow, then])}${byClock ? `, ${killAfterMs} ms` : ""}`
      all.set(scenario.name, {
        boundaries,
        kills: kills + 1,
        missed: missed + (played.ended === "over" ? 1 : 0),
        violations: wrong === undefined ? violations : [...violations, `${what}: ${wrong}`]
      })
      prepare(scenario, image.folder)
      image.unmount()
    }
  } finally {
    image.end()
  }
  return all
}

class Image {
  /** Where it is mounted. */
  readonly folder: string
  readonly #file: string
  readonly #type: FileSystem
  #mounted = false

  constructor(kit: Kit, type: FileSystem, name: string) {
    this.#file = join(kit.folder, `${name}-${type}.img`)
    this.#type = type
    this.folder = join(kit.folder, `${name}-${type}`)
  }

  make(): void {
    mkdirSync(this.folder, { recursive: true })
    const { megabytes, make } = fileSystems[this.#type]
    done("truncate", "-s", `${megabytes}M`, this.#file)
    const [program, ...args] = make
    done(program, ...args, this.#file)
  }

  mount(): void {
    done("mount", "-o", "loop", this.#file, this.folder)
    this.#mounted = true
  }

  /** What is there now is there for good. */
  settle(): void {
    done("sync", "-f", this.folder)
  }

  /** Shuts the file system down as it is; says why, where it cannot be. */
  cut(): string | undefined {
    const { status, stderr } = spawnSync("xfs_io", ["-x", "-c", "shutdown", this.folder], { encoding: "utf8" })
    this.unmount()
    return status === 0 && stderr === "" ? undefined : `it cannot be shut down: ${stderr}`
  }

  unmount(): void {
    if (this.#mounted) done("umount", this.folder)
    this.#mounted = false
  }

  /** Nothing of it stays, whatever has failed before: its loop device goes with its mount. */
  end(): void {
    if (readFileSync("/proc/self/mounts", "utf8").includes(` ${this.folder} `)) spawnSync("umount", ["-l", this.folder])
    rmSync(this.#file, { force: true })
  }
}
