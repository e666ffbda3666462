/** Two processes on one directory: the holder is killed at one of its calls while the next one stands before the lock. */
import type { ChildProcess } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Blow, boundariesOf, joined, judge, type Kit, play, type Played, prepare, type Tried } from "./boundaries.ts"
import { handOver } from "./scenarios.ts"

export interface HandedOver extends Tried {
  /** Kills of a holder before whose lock the next one stood. */
  readonly met: number
}

/** Kills the holder before and after each of its calls; `each` leaves some out. */
export const everyHandOver = async (kit: Kit, each: (blow: Blow) => boolean = () => true): Promise<HandedOver> => {
  const boundaries = (await boundariesOf(kit, handOver.holder)).length
  const blows = Array.from({ length: boundaries }, (_, i) => i + 1).flatMap((at): ReadonlyArray<Blow> => [
    { at, when: "before" },
    { at, when: "after" }
  ])
  const folder = join(kit.folder, "hand-over")
  const violations: Array<string> = []
  let [kills, missed, met] = [0, 0, 0]
  for (const blow of blows.filter(each)) {
    prepare(handOver.holder, folder)
    const both = await playBoth(kit, folder, blow)
    kills += 1
    if (both.holder.ended === "over") missed += 1
    if (both.met) met += 1
    const wrong = both.wrong ?? (await judge(handOver.holder, folder, both.together))
    if (wrong !== undefined) violations.push(`hand-over, ${JSON.stringify(blow)}: ${wrong}`)
  }
  return { boundaries, kills, missed, met, violations }
}

interface Both {
  readonly holder: Played
  /** What both were asked for and acknowledged, the holder first. */
  readonly together: Played
  readonly met: boolean
  readonly wrong: string | undefined
}

const playBoth = async (kit: Kit, folder: string, blow: Blow): Promise<Both> => {
  let holding: ChildProcess | undefined
  let met = false
  let early = false
  const follow = () =>
    play(
      kit,
      handOver.next,
      folder,
      { at: 0 },
      {
        onLine: (line) => {
          if (line === "refused") {
            met = true
            holding?.stdin?.write("\n")
          }
          if (line.startsWith("+ ") && holding?.pid !== undefined && alive(holding.pid)) early = true
        }
      }
    )
  let next: Promise<Played> | undefined
  const holder = await play(kit, handOver.holder, folder, blow, {
    onLine: (line, child) => {
      holding = child
      if (line === "= 0 1") next ??= follow()
    }
  })
  const after = await (next ?? follow())
  const wrong = early
    ? "the next one had the directory while the holder lived"
    : after.ended === "over" && after.acknowledged.at(-1) === 2
      ? undefined
      : "the next one did not get what the holder left"
  return { holder, together: joined(holder, after), met, wrong }
}

/** Whether a process still runs: one that is dying, or only waits to be buried, does not. */
const alive = (pid: number): boolean => {
  try {
    const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")
    const exiting = 0x4
    return state !== "Z" && state !== "X" && (Number(fields[5]) & exiting) === 0
  } catch {
    return false
  }
}
