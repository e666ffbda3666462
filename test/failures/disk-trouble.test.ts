/** A whole runtime on a real file system that goes bad under it, and comes right again. */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it, vi } from "vitest"
import { createRuntime, type JournalEvent, type Runtime, type RuntimeOptions, skill } from "../../src/index.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { bin, built } from "../built.ts"
import { journalIn } from "../journal.ts"
import { done, mountImage, mountQuota, noImages, noMounts, noQuotas } from "../mounts.ts"

const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "holdfast-trouble-")))
const mounted: Array<string> = []
vi.setConfig({ maxConcurrency: 16 }) // They wait for slots, all of them at once.
const runtimes: Array<Runtime> = []
afterAll(async () => {
  await Promise.all(runtimes.map((runtime) => runtime.stop({ now: true })))
  for (const at of mounted) while (spawnSync("umount", ["-R", "-l", at]).status === 0); // One may be mounted over another.
  fs.rmSync(base, { recursive: true, force: true })
})

/** A runtime that does not outlive this file, whatever becomes of its test. */
const started = async (options: RuntimeOptions): Promise<Runtime> => {
  const runtime = await createRuntime(options)
  runtimes.push(runtime)
  return runtime
}

const because = noMounts()
if (because !== undefined) console.log(`disk trouble: skipped, because ${because}`)
const lacking = {
  memory: because,
  bare: because,
  image: because ?? noImages(),
  quota: because ?? noQuotas()
}
if (because === undefined) {
  if (lacking.image !== undefined) console.log(`disk trouble on an image: skipped, because ${lacking.image}`)
  if (lacking.quota !== undefined) console.log(`disk trouble with a quota: skipped, because ${lacking.quota}`)
}

const until = async (what: string, there: () => boolean, instead: () => string = () => ""): Promise<void> => {
  const endsAt = performance.now() + 15_000
  while (!there()) {
    if (performance.now() > endsAt) assert.fail(`never: ${what} ${instead()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Where the state directory is: in memory, in memory and all that is there, on an image of ext4, or in a folder that has a quota. */
type Kind = keyof typeof lacking

/** A small file system and the state directory on it; `at` is a folder that only that file system's limits bind. */
const place = (kind: Kind = "memory"): { readonly at: string; readonly state: string } => {
  const mount = fs.mkdtempSync(join(base, "m-"))
  if (kind === "image") mountImage(mount)
  else if (kind !== "quota") done("mount", "-t", "tmpfs", "-o", "size=6m,nr_inodes=400,mode=700", "tmpfs", mount)
  const at = kind === "quota" ? mountQuota(mount, "6M") : mount
  mounted.push(mount)
  return { at, state: kind === "bare" ? at : join(at, "state") }
}

/** Skills that are programs, as files: `job` works until it is told to finish, half a minute at most, `beat` is short and often. */
const programs = (): { readonly folder: string; readonly finish: () => void } => {
  const folder = fs.mkdtempSync(join(base, "skills-"))
  const told = join(folder, "told")
  const skill = (name: string, settings: object) => {
    fs.mkdirSync(join(folder, name))
    fs.writeFileSync(
      join(folder, name, "SKILL.md"),
      `---\nname: ${name}\ndescription: A program.\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
    )
  }
  skill("job", { run: ["sh", "-c", `n=0; while [ ! -e ${told} ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done`] })
  skill("beat", { schedule: { every: "1 second" }, run: ["true"] })
  return { folder, finish: () => fs.writeFileSync(told, "") }
}

const toBlocked = (event: JournalEvent): boolean => event.type === "mode.changed" && event.to === "blocked"

interface Trouble {
  readonly name: string
  /** The reason in `status`. */
  readonly reason: string
  /** Begins, and gives how it ends. */
  readonly begin: (place: { readonly at: string; readonly state: string }) => () => void
  /** Whether what happens can be put on record while it lasts. */
  readonly recorded: boolean
  /** Whether the status file can say so meanwhile. */
  readonly shown: boolean
  readonly kind: Kind
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
    reason: "full, or out of inodes (ENOSPC)",
    recorded: true,
    shown: true,
    kind: "memory",
    begin: ({ at }) => {
      const filler = filled(at)
      return () => fs.rmSync(filler)
    }
  },
  {
    name: "is over its quota",
    reason: "over its quota (EDQUOT)",
    recorded: true,
    shown: true,
    kind: "quota",
    begin: ({ at }) => {
      const filler = filled(at)
      return () => fs.rmSync(filler)
    }
  },
  {
    name: "has no inode left",
    reason: "full, or out of inodes (ENOSPC)",
    recorded: true,
    shown: false, // A file is replaced by a new one.
    kind: "memory",
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
    reason: "closed to this user (EPERM)",
    recorded: true,
    shown: false,
    kind: "image",
    begin: ({ state }) => {
      const folders = ["", "journal", "skills/status", "runs", ...fs.readdirSync(join(state, "runs")).map((run) => join("runs", run))]
      const paths = folders.map((folder) => join(state, folder))
      done("chattr", "+i", ...paths)
      return () => done("chattr", "-i", ...paths)
    }
  },
  {
    name: "can only be read",
    reason: "read-only (EROFS)",
    recorded: true, // What is open stays open for writing: with that, the system refuses to make the whole of it read-only.
    shown: false,
    kind: "memory",
    begin: ({ state }) => {
      done("mount", "--bind", state, state)
      done("mount", "-o", "remount,bind,ro", state)
      return () => done("umount", state)
    }
  },
  {
    name: "loses the directory, and gets it back",
    reason: "away: the directory is not there (ENOENT)",
    recorded: false,
    shown: false,
    kind: "memory",
    begin: ({ at, state }) => {
      fs.renameSync(state, join(at, "elsewhere"))
      return () => {
        assert.isFalse(fs.existsSync(state), "nothing was made in its place")
        fs.renameSync(join(at, "elsewhere"), state)
      }
    }
  },
  {
    name: "is covered by another one",
    reason: "away: the directory is not there (ENOENT)",
    recorded: false,
    shown: false,
    kind: "bare",
    begin: ({ state }) => {
      done("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", state)
      return () => {
        assert.deepStrictEqual(fs.readdirSync(state), [], "nothing was written there")
        done("umount", state)
      }
    }
  }
]

describe.skipIf(because !== undefined).concurrent("a disk that", () => {
  for (const { name, reason, begin, recorded, shown, kind } of troubles) {
    it.skipIf(lacking[kind] !== undefined)(
      `${name} blocks new runs, keeps what was under way, and is gone on with when it ends`,
      { timeout: 60_000 },
      async () => {
        const here = place(kind)
        const skills = programs()
        const heard: Array<JournalEvent> = []
        let finish = () => {}
        const runtime = await started({
          state: here.state,
          skills: [
            skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) }),
            skill({
              name: "slow",
              run: () => new Promise<{ readonly kept: string }>((resolve) => (finish = () => resolve({ kept: "yes" })))
            }),
            skills.folder
          ],
          onEvent: (event) => void heard.push(event)
        })
        const count = (type: JournalEvent["type"], name: string) =>
          heard.filter((event) => event.type === type && "run" in event && event.run?.startsWith(`${name}@`)).length
        await until("two ticks", () => count("run.settled", "tick") >= 2)
        const slow = await runtime.trigger("slow")
        const job = await runtime.trigger("job")
        await until("both are under way", () => count("attempt.started", "slow") === 1 && count("attempt.spawned", "job") === 1)

        const end = begin(here)
        await until("blocked", () => runtime.mode === "blocked")
        assert.strictEqual((await runtime.status()).reasons.storage, reason)
        const attempts = count("attempt.started", "tick")
        const blockedAtMs = Date.now()
        finish()
        skills.finish()
        await until("three more slots are past", () => Date.now() > blockedAtMs + 3_000)
        assert.strictEqual(runtime.mode, "blocked")
        assert.isAtMost(count("attempt.started", "tick"), attempts + 1, "one may have been on its way")
        if (recorded) assert.deepInclude(heard.find(toBlocked), { reason: `storage ${reason}` }, "the trouble itself is on record")
        const picture = () => JSON.parse(fs.readFileSync(join(here.state, "status.json"), "utf8"))
        if (shown) assert.deepInclude(picture(), { mode: "blocked", reasons: { ...picture().reasons, storage: reason } })
        for (const name of ["slow", "job"])
          if (recorded) assert.strictEqual(count("run.settled", name), 1, `${name} is on record: the reserve makes room for what runs`)

        end()
        await until(
          "writable again",
          () => runtime.mode === "standalone",
          () => runtime.mode
        )
        await until("both are on record", () => count("run.settled", "slow") === 1 && count("run.settled", "job") === 1)
        await until("status.json says so", () => picture().mode === "standalone")
        const line = (name: string) => fs.readFileSync(join(here.state, "skills/status", `${name}.txt`), "utf8")
        for (const [name, run] of [
          ["slow", slow],
          ["job", job]
        ] as const)
          await until(
            `its line of ${name}`,
            () => fs.existsSync(join(here.state, "skills/status", `${name}.txt`)) && line(name).includes(`run=${run},`)
          )
        const before = count("run.settled", "tick")
        await until("ticks go on", () => count("run.settled", "tick") >= before + 2)
        const throughMs = Date.now() - 1_500
        await runtime.stop()

        const events = journalIn(here.state)
        const settled = events.find((event) => event.type === "run.settled" && event.run === slow)
        assert.deepInclude(settled, { outcome: "success", fields: { kept: "yes" } })
        const ended = events.filter((event) => event.type === "run.settled")
        assert.deepInclude(
          ended.find(({ run }) => run === job),
          { outcome: "success" }
        )
        assert.deepStrictEqual(
          ended.filter(({ reason }) => reason.includes("defect")),
          []
        )
        assert.deepStrictEqual(checkSlots(events, throughMs), [])
        assert.deepStrictEqual(checkRuns(events), [])
        assert.deepInclude(events.find(toBlocked), { reason: `storage ${reason}` })
        assert.isNotEmpty(
          events.filter((event) => event.type === "slot.settled"),
          "what was due meanwhile is accounted for"
        )
      }
    )
  }

  it("becomes read-only blocks or ends the runtime, and the next one has all that was acknowledged", { timeout: 60_000 }, async () => {
    const { at, state } = place("image")
    const heard: Array<JournalEvent> = []
    const skills = [skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) })]
    const runtime = await started({ state, skills, onEvent: (event) => void heard.push(event) })
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
    const next = await started({ state, skills })
    await until("ticks", () => journalIn(state).length > events.length + 4)
    await next.stop()
    assert.deepStrictEqual(checkSlots(journalIn(state), Date.now() - 3_000), [])
  })
})

/** `holdfast up` on a state directory with two skills, as this user or another. */
const up = (state: string, user?: number) => {
  const skills = programs()
  if (user !== undefined) for (const folder of [base, skills.folder]) fs.chmodSync(folder, 0o755)
  const child = spawn(process.execPath, [bin, "up", "--json", "--state", state, "--skills", skills.folder], {
    cwd: skills.folder,
    env: { PATH: process.env["PATH"], HOME: skills.folder },
    stdio: ["ignore", "pipe", "pipe"],
    ...(user === undefined ? {} : { uid: user, gid: user })
  })
  let [said, complained] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complained += text))
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  return {
    ended,
    complained: () => complained,
    /** What it has said of a kind, so far. */
    heard: (type: string): ReadonlyArray<Record<string, unknown>> =>
      said
        .split("\n")
        .slice(0, -1)
        .flatMap((line) => {
          const event: Record<string, unknown> = JSON.parse(line)
          return event["type"] === type ? [event] : []
        }),
    stop: () => child.kill("SIGTERM"),
    kill: () => child.kill("SIGKILL")
  }
}

const replacements = [
  ["a link to elsewhere", "a link", (at: string, state: string) => fs.symlinkSync(join(at, "elsewhere"), state)],
  ["another directory", "another directory", (_: string, state: string) => fs.mkdirSync(join(state, "journal"), { recursive: true })],
  ["nothing, since it was deleted,", "nothing: it was deleted", (at: string) => fs.rmSync(join(at, "moved"), { recursive: true })]
] as const

/** A folder for a state directory; `replace` puts something in its place, `untouched` sees to it that nothing came of that. */
const replaceable = (replace: (at: string, state: string) => void) => {
  const at = fs.mkdtempSync(join(base, "d-"))
  const state = join(at, "state")
  const there = () => fs.readdirSync(at, { recursive: true, encoding: "utf8" }).filter((path) => !path.startsWith("moved"))
  let before: ReadonlyArray<string> = []
  return {
    state,
    replace: () => {
      fs.mkdirSync(join(at, "elsewhere"))
      fs.renameSync(state, join(at, "moved"))
      replace(at, state)
      before = there()
    },
    untouched: () => assert.deepStrictEqual(there(), before)
  }
}

describe.concurrent("a runtime", () => {
  for (const [name, got, replace] of replacements) {
    it(`ends when ${name} is in the place of its directory, and writes nothing there`, { timeout: 60_000 }, async () => {
      const place = replaceable(replace)
      const runtime = await started({
        state: place.state,
        skills: [skill({ name: "tick", schedule: { every: "1 second" }, run: () => ({}) })]
      })
      await until("its status", () => fs.existsSync(join(place.state, "skills/status/tick.txt")))
      place.replace()
      const { mode, reason } = await runtime.ended
      assert.strictEqual(mode, "failed")
      assert.match(reason, /^STATE_DIR_REPLACED at /)
      assert.include(reason, got)
      place.untouched()
    })
  }
})

describe.skipIf(!built()).concurrent("holdfast up", () => {
  for (const [name, , replace] of replacements) {
    it(`leaves with 74 when ${name} is in the place of its directory, and writes nothing there`, { timeout: 60_000 }, async () => {
      const place = replaceable(replace)
      const runtime = up(place.state)
      try {
        await until("its status", () => fs.existsSync(join(place.state, "skills/status/beat.txt")), runtime.complained)
        place.replace()
        assert.strictEqual(await runtime.ended, 74)
        assert.match(runtime.complained(), /STATE_DIR_REPLACED/)
        place.untouched()
      } finally {
        runtime.kill()
      }
    })
  }

  const nobody = 65_534
  const refused =
    because ??
    (spawnSync(process.execPath, [bin, "--version"], { uid: nobody, gid: nobody }).status === 0 ? undefined : "nobody else can start it")
  if (refused !== undefined) console.log(`permission lost by a user: skipped, because ${refused}`)
  it.skipIf(refused !== undefined)(
    "of a user who loses the right to the directory is blocked, and goes on when it is given back",
    { timeout: 60_000 },
    async () => {
      const { at, state } = place()
      fs.chownSync(at, nobody, nobody)
      const runtime = up(state, nobody)
      try {
        await until("a beat", () => runtime.heard("run.settled").length > 0, runtime.complained)
        fs.chmodSync(state, 0)
        await until("blocked", () => runtime.heard("mode.changed").at(-1)?.["to"] === "blocked", runtime.complained)
        assert.strictEqual(runtime.heard("mode.changed").at(-1)!["reason"], "storage closed to this user (EACCES)")
        const blockedAtMs = Date.now()
        const attempts = runtime.heard("attempt.started").length
        await until("two more slots are past", () => Date.now() > blockedAtMs + 2_000)
        assert.strictEqual(runtime.heard("mode.changed").at(-1)?.["to"], "blocked")
        assert.isAtMost(runtime.heard("attempt.started").length, attempts + 1)
        fs.chmodSync(state, 0o700)
        await until("writable again", () => runtime.heard("mode.changed").at(-1)?.["to"] === "standalone", runtime.complained)
        const before = runtime.heard("run.settled").length
        await until("beats go on", () => runtime.heard("run.settled").length >= before + 2)
        const throughMs = Date.now() - 1_500
        runtime.stop()
        assert.strictEqual(await runtime.ended, 0)
        const events = journalIn(state)
        assert.deepStrictEqual(checkSlots(events, throughMs), [])
        assert.deepStrictEqual(checkRuns(events), [])
        assert.isNotEmpty(events.filter((event) => event.type === "slot.settled"))
      } finally {
        runtime.kill()
      }
    }
  )
})
