/**
 * The thread that watches the event loop: looks at the counter that the loop moves, and while that stands still says so in
 * `status.json`, which the loop cannot. Plain Node and nothing of ours at run time: it has to work when nothing else does.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { parentPort, workerData } from "node:worker_threads"
import type { Picture } from "../domain/Picture.ts"
import type { Stall, Watched } from "../layers/Watch.ts"

const { beats, view, everyMs, stalledAfterMs } = workerData as Watched
const counter = new Int32Array(beats)
let seen = -1
let stoodMs = 0

const look = (): void => {
  const count = Atomics.load(counter, 0)
  if (count === seen) {
    stoodMs += everyMs // Looks, not the clock: what passes while the whole process is stopped, or the machine asleep, is no stall.
    if (stoodMs >= stalledAfterMs) tell()
    return
  }
  // After our last word in the view: what the loop writes once it has heard of this is the last.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
  if (stoodMs >= stalledAfterMs) parentPort?.postMessage({ forMs: stoodMs } satisfies Stall)
  seen = count
  stoodMs = 0
}

/** Into the last picture of this very process, and nowhere else: a directory that was moved away is not made anew. */
const tell = (): void => {
  const draft = join(dirname(view), `.draft-${randomBytes(8).toString("hex")}`)
  try {
    const picture = JSON.parse(readFileSync(view, "utf8")) as Picture
    // Looked at each time: a rename that the loop had begun may come after ours.
    if (picture.pid !== process.pid || picture.stalled !== undefined) return
    const stalled = { since: new Date(Date.now() - stoodMs).toISOString() }
    try {
      writeFileSync(draft, `${JSON.stringify({ ...picture, stalled }, undefined, 2)}\n`, { flag: "wx", mode: 0o600, flush: true })
      if (Atomics.load(counter, 0) === seen) renameSync(draft, view)
    } finally {
      rmSync(draft, { force: true })
    }
  } catch {
    // A disk in trouble, or no picture yet: tried again at the next look.
  }
}

setInterval(look, everyMs)
