/**
 * Real file systems that lose their power: a scenario on a mounted image, the process killed at one of its calls, and the file
 * system shut down at once, without writing what it still holds. What a mount finds afterwards is judged.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type Blow, boundariesOf, judge, type Kit, play, prepare, type Tried, unable } from "./boundaries.ts"
import { done } from "../mounts.ts"
import { mulberry32 } from "./mulberry32.ts"
import { scenarios } from "./scenarios.ts"

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
  try {
    const image = new Image(kit, type, "trial")
    image.mount()
    const cut = image.cut()
    image.end()
    return cut
  } catch (error) {
    return String(error)
  }
}

/** So many cuts, over all scenarios that are killed. */
export const powerCuts = async (kit: Kit, type: FileSystem, cuts: number, seed: number): Promise<Tried> => {
  const random = mulberry32(seed)
  const below = (n: number) => Math.floor(random() * n)
  const killed = scenarios.filter(({ fails }) => fails === undefined)
  const image = new Image(kit, type, "image")
  const violations: Array<string> = []
  let [boundaries, missed] = [0, 0]
  try {
    const calls = new Map<string, number>()
    for (const scenario of killed) calls.set(scenario.name, (await boundariesOf(kit, scenario, join(kit.folder, `calls-${type}`))).length)
    boundaries = [...calls.values()].reduce((sum, n) => sum + n, 0)
    for (let n = 0; n < cuts; n++) {
      const scenario = killed[n % killed.length]!
      const at = 1 + below(calls.get(scenario.name)!)
      const blow: Blow = random() < 0.3 ? { at, torn: below(100) } : { at, when: random() < 0.5 ? "before" : "after" }
      image.mount()
      prepare(scenario, image.state)
      image.settle()
      const played = await play(kit, scenario, image.state, blow)
      if (played.ended === "over") missed += 1
      const refused = image.cut()
      if (refused !== undefined) throw new Error(refused)
      image.mount()
      const wrong = await judge(scenario, image.state, played)
      if (wrong !== undefined) violations.push(`${type}, seed ${seed}, cut ${n + 1}, ${scenario.name}, ${JSON.stringify(blow)}: ${wrong}`)
      rmSync(image.state, { recursive: true, force: true })
      image.unmount()
    }
  } finally {
    image.end()
  }
  return { boundaries, kills: cuts, missed, violations }
}

class Image {
  readonly state: string
  readonly #file: string
  readonly #at: string
  #mounted = false

  constructor(kit: Kit, type: FileSystem, name: string) {
    this.#file = join(kit.folder, `${name}-${type}.img`)
    this.#at = join(kit.folder, `${name}-${type}`)
    this.state = join(this.#at, "state")
    mkdirSync(this.#at, { recursive: true })
    const { megabytes, make } = fileSystems[type]
    done("truncate", "-s", `${megabytes}M`, this.#file)
    const [program, ...args] = make
    done(program, ...args, this.#file)
  }

  mount(): void {
    done("mount", "-o", "loop", this.#file, this.#at)
    this.#mounted = true
  }

  /** What is there now is there for good. */
  settle(): void {
    done("sync", "-f", this.#at)
  }

  /** Shuts the file system down as it is; says why, where it cannot be. */
  cut(): string | undefined {
    const { status, stderr } = spawnSync("xfs_io", ["-x", "-c", "shutdown", this.#at], { encoding: "utf8" })
    this.unmount()
    return status === 0 && stderr === "" ? undefined : `it cannot be shut down: ${stderr}`
  }

  unmount(): void {
    if (this.#mounted) done("umount", this.#at)
    this.#mounted = false
  }

  end(): void {
    if (this.#mounted) spawnSync("umount", ["-l", this.#at])
    rmSync(this.#file, { force: true })
  }
}
