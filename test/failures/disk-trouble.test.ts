/** A whole runtime on a real file system that goes bad under it, and comes right again. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { createRuntime, type JournalEvent, skill } from "../../src/index.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { journalIn } from "../journal.ts"
import { done, mountImage, noImages, noMounts } from "../mounts.ts"

const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "holdfast-trouble-")))
const mounted: Array<string> = []
afterAll(() => {
  for (const at of mounted) spawnSync("umount", ["-l", at])
  fs.rmSync(base, { recursive: true, force: true })
})

const because = noMounts()
if (because !== undefined) console.log(`disk trouble: skipped, because ${because}`)
const imageless = because ?? noImages()
if (imageless !== undefined) console.log(`disk trouble on an image: skipped, because ${imageless}`)

const until = async (what: string, there: () => boolean, instead: () => string = () => ""): Promise<void> => {
  const endsAt = performance.now() + 15_000
  while (!there()) {
    if (performance.now() > endsAt) assert.fail(`never: ${what} ${instead()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A small file system, in memory or on an image, and the state directory on it. */
const place = (image = false): { readonly at: string; readonly state: string } => {
  const at = fs.mkdtempSync(join(base, "m-"))
  if (image) mountImage(at)
  else done("mount", "-t", "tmpfs", "-o", "size=6m,nr_inodes=400", "tmpfs", at)
  mounted.push(at)
  return { at, state: join(at, "state") }
}

interface Trouble {
  readonly name: string
  /** The reason in `status`, one word of the system. */
  readonly reason: RegExp
  /** Begins, and gives how it ends. */
  readonly begin: (place: { readonly at: string; readonly state: string }) => () => void
  /** Whether what happens can be put on record while it lasts. */
  readonly recorded: boolean
  readonly image?: true
}

const filled = (at: string): string => {
  const path = join(at, "filler")
  const fd = fs.openSync(path, "w")
  for (let block = Buffer.alloc(65_536); block.length > 0;) {
    try {
      fs.writeSync(fd, block)
    } catch {
      block = block.subarray(0, block.length >> 1)
    }
  }
  fs.closeSync(fd)
  return path
}

const troubles: ReadonlyArray<Trouble> = [
  {
    name: "is full",
    reason: /^ENOSPC$/,
    recorded: true,
    begin: ({ at }) => {
      const filler = filled(at)
      return () => fs.rmSync(filler)
    }
  },
  {
    name: "has no inode left",
    reason: /^ENOSPC$/,
    recorded: true,
    begin: ({ at }) => {
      const folder = join(at, "inodes")
      fs.mkdirSync(folder)
      for (let n = 0; ; n++) {
        try {
          fs.writeFileSync(join(folder, String(n)), "")
        } catch {
          return () => fs.rmSync(folder, { recursive: true })
        }
      }
    }
  },
  {
    name: "is closed to us",
    reason: /^E(PERM|ACCES)$/,
    recorded: true,
    image: true,
    begin: ({ state }) => {
      const folders = [state, join(state, "journal"), join(state, "skills/status")]
      done("chattr", "+i", ...folders)
      return () => done("chattr", "-i", ...folders)
    }
  },
  {
    name: "loses the directory, and gets it back",
    reason: /^ENOENT$/,
    recorded: false,
    begin: ({ at, state }) => {
      fs.renameSync(state, join(at, "elsewhere"))
      return () => fs.renameSync(join(at, "elsewhere"), state)
    }
  }
]

describe.skipIf(because !== undefined)("a disk that", () => {
  for (const { name, reason, begin, recorded, image } of troubles) {
    it.skipIf(image && imageless !== undefined).concurrent(
      `${name} blocks new runs, keeps what was under way, and is gone on with when it ends`,
      { timeout: 60_000 },
      async () => {
        const here = place(image)
        const heard: Array<JournalEvent> = []
        let finish = () => {}
        const runtime = await createRuntime({
          state: here.state,
          skills: [
            skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) }),
            skill({
              name: "slow",
              run: () => new Promise<{ readonly kept: string }>((resolve) => (finish = () => resolve({ kept: "yes" })))
            })
          ],
          onEvent: (event) => void heard.push(event)
        })
        const count = (type: JournalEvent["type"], name: string) =>
          heard.filter((event) => event.type === type && "run" in event && event.run?.startsWith(`${name}@`)).length
        await until("two ticks", () => count("run.settled", "tick") >= 2)
        const slow = await runtime.trigger("slow")
        await until("the slow one is under way", () => count("attempt.started", "slow") === 1)

        const end = begin(here)
        await until("blocked", () => runtime.mode === "blocked")
        assert.match((await runtime.status()).reasons.storage ?? "", reason)
        const attempts = count("attempt.started", "tick")
        const blockedAtMs = Date.now()
        finish()
        await until("three more slots are past", () => Date.now() > blockedAtMs + 3_000)
        assert.strictEqual(runtime.mode, "blocked")
        assert.isAtMost(count("attempt.started", "tick"), attempts + 1, "one may have been on its way")
        if (recorded) assert.strictEqual(count("run.settled", "slow"), 1, "the reserve makes room for what runs")

        end()
        await until(
          "writable again",
          () => runtime.mode === "standalone",
          () => runtime.mode
        )
        await until("the slow one is on record", () => count("run.settled", "slow") === 1)
        const before = count("run.settled", "tick")
        await until("ticks go on", () => count("run.settled", "tick") >= before + 2)
        const throughMs = Date.now() - 1_500
        await runtime.stop()

        const events = journalIn(here.state)
        const settled = events.find((event) => event.type === "run.settled" && event.run === slow)
        assert.deepInclude(settled, { outcome: "success", fields: { kept: "yes" } })
        assert.deepStrictEqual(checkSlots(events, throughMs), [])
        assert.deepStrictEqual(checkRuns(events), [])
        assert.isNotEmpty(
          events.filter((event) => event.type === "slot.settled"),
          "what was due meanwhile is accounted for"
        )
      }
    )
  }

  it.concurrent(
    "becomes read-only blocks or ends the runtime, and the next one has all that was acknowledged",
    { timeout: 60_000 },
    async () => {
      const { at, state } = place(true)
      const heard: Array<JournalEvent> = []
      const skills = [skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) })]
      const runtime = await createRuntime({ state, skills, onEvent: (event) => void heard.push(event) })
      await until("two ticks", () => heard.filter(({ type }) => type === "run.settled").length >= 2)
      const device = fs
        .readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .find((line) => line.includes(` ${at} `))!
      const name = /\/dev\/(loop\d+)/.exec(device)![1]!
      fs.writeFileSync(`/sys/fs/ext4/${name}/trigger_fs_error`, "1") // As after a bad block: the kernel makes it read-only.
      await until(
        "blocked or ended",
        () => runtime.mode === "blocked" || runtime.mode === "failed",
        () => runtime.mode
      )
      const acknowledged = heard.length
      await runtime.stop({ now: true })
      done("umount", at)
      assert.isAtMost(spawnSync("e2fsck", ["-y", `${at}.img`]).status!, 1, "1 is: mended")
      done("mount", "-o", "loop", `${at}.img`, at)
      const events = journalIn(state)
      assert.isAtLeast(events.length, acknowledged)
      assert.deepStrictEqual(events.slice(0, acknowledged), heard.slice(0, acknowledged))
      const next = await createRuntime({ state, skills })
      await until("ticks", () => journalIn(state).length > events.length + 4)
      await next.stop()
      assert.deepStrictEqual(checkSlots(journalIn(state), Date.now() - 3_000), [])
    }
  )

  for (const [name, replace] of [
    ["a link to elsewhere", (at: string, state: string) => fs.symlinkSync(join(at, "elsewhere"), state)],
    ["another directory", (_: string, state: string) => fs.mkdirSync(join(state, "journal"), { recursive: true })]
  ] as const) {
    it.concurrent(
      `has ${name} in the place of the directory ends the runtime, which writes nothing there`,
      { timeout: 60_000 },
      async () => {
        const { at, state } = place()
        const heard: Array<JournalEvent> = []
        const runtime = await createRuntime({
          state,
          skills: [skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) })],
          onEvent: (event) => void heard.push(event)
        })
        await until("a tick", () => heard.some(({ type }) => type === "run.settled"))
        await until("its status", () => fs.existsSync(join(state, "skills/status/tick.txt")))
        fs.mkdirSync(join(at, "elsewhere"))
        fs.renameSync(state, join(at, "moved"))
        replace(at, state)
        const end = await runtime.ended
        assert.deepInclude({ ...end }, { mode: "failed" })
        const there = fs.readdirSync(join(at, "elsewhere"), { recursive: true })
        assert.deepStrictEqual(there, [])
        assert.isTrue(fs.readdirSync(state).every((name) => name === "journal"))
      }
    )
  }
})
