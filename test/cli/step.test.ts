/** `holdfast step` in the scripts of real skills, under a real runtime: what is kept, what is replayed, what is refused. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { journalIn } from "../journal.ts"
import { makeWorld, until, type World } from "./holdfast.ts"

const timeout = 60_000

/** A world with skills that are shell scripts; each is tried again at once when it fails. */
const scripted = (scripts: Readonly<Record<string, string>>, settings: object = {}): World => {
  const world = makeWorld()
  for (const [name, text] of Object.entries(scripts)) {
    world.skill(name, { run: ["./go.sh"], retry: { attempts: 3, first: "1 millisecond" }, ...settings })
    write(world, name, text)
  }
  return world
}
const write = (world: World, name: string, text: string): void => {
  const file = join(world.skills, name, "go.sh")
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
}

const start = async (world: World) => {
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  return runtime
}

/** Runs a skill to its outcome: what it came to, and what its latest attempt printed. */
const trigger = async (world: World, skill: string) => {
  const { stdout, stderr } = await world.run("trigger", skill, "--wait", "--json", "--state", world.state)
  const settled = JSON.parse(stdout === "" ? stderr : stdout) as Record<string, unknown>
  const { run } = { run: String(settled["where"]), ...settled } as { readonly run: string }
  const read = (name: string, of: BufferEncoding = "utf8") => {
    const file = join(world.state, "runs", run, name)
    return existsSync(file) ? readFileSync(file, of) : ""
  }
  return { run, settled, read, stdout: read("stdout.log"), stderr: read("stderr.log"), book: read("book") }
}
const stepsOf = (world: World, run: string) =>
  journalIn(world.state).flatMap((event) =>
    (event.type === "step.started" || event.type === "step.finished") && event.run === run
      ? [`${event.type.slice(5)} ${event.step} ${event.attempt}`]
      : []
  )

/** A command that notes its key and its attempt, as an effect would. */
const noted = `sh -c 'echo "$HOLDFAST_STEP_KEY $HOLDFAST_ATTEMPT" >> "$HOLDFAST_RUN_DIRECTORY/book"`
const failOnce = `[ "$HOLDFAST_ATTEMPT" != 1 ] || exit 1`

describe("holdfast step", () => {
  it("does a command once in a run, and replays its output and its exit code after", { timeout }, async () => {
    const world = scripted({
      "in-loop": `set -e\nfor n in 1 2 3; do holdfast step part-$n -- ${noted}; echo out $0; echo err $0 >&2' $n; done\n${failOnce}`,
      captured: `list=$(holdfast step list -- ${noted}; echo one; echo two')\n${failOnce}\necho "got $list"`,
      accepted: `holdfast step compare --accept 1,3 -- ${noted}; exit 3'\necho "left with $?"\n${failOnce}`,
      binary: `holdfast step bytes -- ${noted}; printf "\\\\377\\\\000\\\\001\\\\n"'\n${failOnce}`,
      parallel: `for n in 1 2 3 4; do holdfast step part-$n -- ${noted}; echo $0' $n & done\nwait\n${failOnce}`,
      piped: `echo "from the pipe" | holdfast step mail -- ${noted}; cat'\n${failOnce}`
    })
    await start(world)

    const loop = await trigger(world, "in-loop")
    expect(loop.settled).toMatchObject({ outcome: "success", attempts: 2 })
    expect([loop.stdout, loop.stderr]).toEqual(["out 1\nout 2\nout 3\n", "err 1\nerr 2\nerr 3\n"])
    expect(loop.book).toBe([1, 2, 3].map((n) => `${loop.run}/part-${n} 1\n`).join(""))
    expect(stepsOf(world, loop.run)).toEqual([1, 2, 3].flatMap((n) => [`started part-${n} 1`, `finished part-${n} 1`]))

    const captured = await trigger(world, "captured")
    expect([captured.stdout, captured.book]).toEqual(["got one\ntwo\n", `${captured.run}/list 1\n`])

    const accepted = await trigger(world, "accepted")
    expect([accepted.stdout, accepted.book]).toEqual(["left with 3\n", `${accepted.run}/compare 1\n`])

    const binary = await trigger(world, "binary")
    expect([binary.read("stdout.log", "hex"), binary.book]).toEqual(["ff00010a", `${binary.run}/bytes 1\n`])

    const parallel = await trigger(world, "parallel")
    expect(parallel.settled).toMatchObject({ outcome: "success", attempts: 2 })
    expect(parallel.book.split("\n").filter(Boolean).toSorted()).toEqual([1, 2, 3, 4].map((n) => `${parallel.run}/part-${n} 1`))

    const piped = await trigger(world, "piped")
    expect([piped.stdout, piped.book]).toEqual(["from the pipe\n", `${piped.run}/mail 1\n`])
  })

  it("passes any other end on, keeps nothing of it, and may be asked again in the same attempt", { timeout }, async () => {
    const world = scripted({
      stubborn: `until holdfast step send -- ${noted}; [ $(wc -l < "$HOLDFAST_RUN_DIRECTORY/book") = 3 ] || exit 7'; do echo "not yet: $?"; done`,
      killed: `holdfast step die -- sh -c 'kill -9 $$'\necho "left with $?"`,
      missing: `holdfast step none -- no-such-program\necho "left with $?"`,
      unexecutable: `holdfast step none -- ./SKILL.md\necho "left with $?"`
    })
    await start(world)
    const stubborn = await trigger(world, "stubborn")
    expect(stubborn.stdout).toBe("not yet: 7\nnot yet: 7\n")
    expect(stubborn.book).toBe(`${stubborn.run}/send 1\n`.repeat(3))
    expect(stepsOf(world, stubborn.run)).toEqual(["started send 1", "started send 1", "started send 1", "finished send 1"])

    const killed = await trigger(world, "killed")
    expect([killed.stdout, stepsOf(world, killed.run)]).toEqual(["left with 137\n", ["started die 1"]])
    const missing = await trigger(world, "missing")
    expect([missing.stdout, stepsOf(world, missing.run)]).toEqual(["left with 127\n", ["started none 1"]])
    expect(missing.stderr).toMatch(/^RUN_SPAWN_ENOENT at no-such-program\n/)
    const unexecutable = await trigger(world, "unexecutable")
    expect([unexecutable.stdout, unexecutable.stderr.split(" ")[0]]).toEqual(["left with 126\n", "RUN_SPAWN_ENOEXEC"])
  })

  it("lets a command that is asked to stop end as it will, and keeps that", { timeout }, async () => {
    // It is asked as one of its group and by the command that passes it on, so it may be asked twice.
    const world = scripted(
      { slow: `holdfast step long -- ${noted}; trap "trap : TERM; echo saved; exit 0" TERM; sleep 30 & wait'` },
      { timeout: "2 seconds", retry: { attempts: 2, first: "1 millisecond" } }
    )
    await start(world)
    const { book, run, settled, stdout } = await trigger(world, "slow")
    expect(settled).toMatchObject({ outcome: "success", attempts: 2 })
    expect([stdout, book]).toEqual(["saved\n", `${run}/long 1\n`])
  })

  it("keeps the first 256 KiB of each stream, says so, and shows the rest all the same", { timeout }, async () => {
    const world = scripted({
      long: `holdfast step long -- sh -c 'yes "a line of text" | head -c 400000; yes "\\\\\\\\\\\\\\\\" | head -c 300000 >&2'\n${failOnce}`
    })
    await start(world)
    const { settled, run, stdout, stderr } = await trigger(world, "long")
    expect(settled).toMatchObject({ outcome: "success", attempts: 2 })
    expect(stdout).toBe("a line of text\n".repeat(20_000).slice(0, 262_144))
    expect(stderr).toHaveLength(262_144)
    const { events } = { events: journalIn(world.state) }
    const finished = events.find((event) => event.type === "step.finished" && event.run === run)
    expect(finished).toMatchObject({ result: { exit: 0, stdout: { cut: 400_000 - 262_144 }, stderr: { cut: 300_000 - 262_144 } } })
  })
})

/** What a script does wrong, the code that it is answered by, and what the command leaves with: 64 is not tried again. */
const refused: ReadonlyArray<readonly [what: string, script: string, code: string, exit: number]> = [
  ["a name it cannot have", "holdfast step a/b -- true", "STEP_NAME", 64],
  ["a name with a line feed", `holdfast step "$(printf 'a\nb')" -- true`, "STEP_NAME", 64],
  ["a name twice", "holdfast step a -- true; holdfast step a -- true", "STEP_DUPLICATE", 64],
  ["a name that is under way", "holdfast step a -- holdfast step a -- true", "STEP_DUPLICATE", 64],
  ["no --", "holdfast step a true", "WORDS", 64],
  ["no command", "holdfast step a --", "WORDS", 64],
  ["no name", "holdfast step -- true", "WORDS", 64],
  ["a code out of range", "holdfast step a --accept 256 -- true", "FLAG_VALUE", 64],
  ["a code that is none", "holdfast step a --accept all -- true", "FLAG_VALUE", 64],
  ["the attempt of another run", "HOLDFAST_RUN_ID=other@20261122T060000Z holdfast step a -- true", "STEP_NOT_EXECUTING", 1],
  ["an attempt that is over", "HOLDFAST_ATTEMPT=0 holdfast step a -- true", "STEP_NOT_EXECUTING", 1],
  ["no run", "env -u HOLDFAST_RUN_ID holdfast step a -- true", "STEP_OUTSIDE_RUN", 64],
  [
    "a runtime that is not there in time",
    "HOLDFAST_RUN_DIRECTORY=/nowhere/runs/x HOLDFAST_TIMEOUT_AT=$HOLDFAST_SLOT holdfast step a -- true",
    "RUNTIME_DOWN",
    69
  ],
  [
    "a state directory whose path is too long",
    `HOLDFAST_RUN_DIRECTORY=/${"long".repeat(25)}/runs/x holdfast step a -- true`,
    "SOCKET_PATH_LONG",
    1
  ]
]

describe("holdfast step refuses", () => {
  it("what a script must not ask, each with its code and its five answers", { timeout }, async () => {
    const skill = (i: number) => `bad-${i}`
    const scripts = refused.map(([, script], i) => [skill(i), `${script}\nleft=$?\necho "left with $left"\nexit $left`])
    const world = scripted(Object.fromEntries(scripts), { retry: { attempts: 1 } })
    await start(world)
    for (const [i, [what, , code, exit]] of refused.entries()) {
      const { settled, stderr, stdout } = await trigger(world, skill(i))
      const said = new RegExp(`^${code} at .+\n {2}got .+, want .+\n {2}fix: .+\n`).test(stderr)
      expect({ what, said, stdout, outcome: settled["outcome"] }).toEqual({
        what,
        said: true,
        stdout: `left with ${exit}\n`,
        outcome: "failed"
      })
    }
  })
})

/** Kills a runtime in the middle of a step whose effect has left, and starts the next one. */
const killedInTheMiddle = async (world: World) => {
  const first = await start(world)
  const { stdout } = await world.run("trigger", "pipe", "--state", world.state)
  const run = stdout.trim()
  const book = join(world.state, "runs", run, "book")
  await until(() => (existsSync(book) ? true : undefined))
  first.kill("SIGKILL")
  await first.ended
  const next = await start(world)
  return { run, book, next }
}

describe("a runtime that is killed between the effect of a step and its record", () => {
  const script = `set -e\nholdfast step before -- true\nholdfast step send -- ${noted}; [ "$HOLDFAST_ATTEMPT" != 1 ] || sleep 60'`

  it("does that step again, under the same key and with the attempt to tell, and no other", { timeout }, async () => {
    const world = scripted({ pipe: script })
    const { book, next, run } = await killedInTheMiddle(world)
    await next.says(/run {5}pipe {2}success/)
    expect(readFileSync(book, "utf8")).toBe(`${run}/send 1\n${run}/send 2\n`)
    expect(stepsOf(world, run)).toEqual(["started before 1", "finished before 1", "started send 1", "started send 2", "finished send 2"])
  })

  it("does nothing again where the skill says record: interrupted, on record, and an alert", { timeout }, async () => {
    const world = scripted({ pipe: script }, { onInterruption: "record" })
    const { book, next, run } = await killedInTheMiddle(world)
    await next.says(/run {5}pipe {2}interrupted/)
    expect(readFileSync(book, "utf8")).toBe(`${run}/send 1\n`)
    expect(journalIn(world.state).filter((event) => event.type === "attempt.started")).toHaveLength(1)
    const alert = async () => {
      const { health, why } = JSON.parse((await world.run("status", "--json", "--state", world.state)).stdout)
      return health === "warning" && why.join() === "pipe failed last time" ? true : undefined
    }
    await until(alert, () => "no alert")
  })
})

describe("a runtime that is gone", () => {
  it("is waited for: nothing begins without it", { timeout }, async () => {
    const world = scripted({ pipe: `set -e\nholdfast step send -- ${noted}; sleep 0.5'\nholdfast step after -- ${noted}'` })
    const first = await start(world)
    const { stdout } = await world.run("trigger", "pipe", "--state", world.state)
    const run = stdout.trim()
    const read = (name: string) => readFileSync(join(world.state, "runs", run, name), "utf8")
    await until(() => (existsSync(join(world.state, "runs", run, "book")) ? true : undefined))
    first.kill("SIGKILL")
    await first.ended
    await until(() => (read("stderr.log").startsWith("holdfast step send: the runtime is away; waiting for it until ") ? true : undefined))
    expect(read("book")).toBe(`${run}/send 1\n`)
    const next = await start(world)
    await next.says(/run {5}pipe {2}success/)
    expect(read("book")).toBe(`${run}/send 1\n${run}/send 2\n${run}/after 2\n`)
  })
})

describe("a script that was changed in the middle of a run", () => {
  it("parks it: status and runs say so, and a person releases or cancels it", { timeout }, async () => {
    const old = `set -e\nholdfast step old -- ${noted}'\nexit 1`
    const world = scripted({ kept: old, dropped: old }, { retry: { attempts: 5, first: "2 seconds" } })
    const runtime = await start(world)
    const parked = async (skill: string) => {
      const waiting = trigger(world, skill)
      await runtime.says(new RegExp(`${skill} {2}attempt 1 failed`))
      write(world, skill, `set -e\nholdfast step new -- ${noted}'`)
      const { run, settled } = await waiting
      expect(settled).toMatchObject({ code: "RUN_PARKED", where: run })
      return run
    }
    const runs = async (...args: ReadonlyArray<string>) => world.run("runs", ...args, "--state", world.state)
    const [kept, dropped] = await Promise.all([parked("kept"), parked("dropped")])
    await until(async () => (/ parked: .* parked: /s.test((await world.run("status", "--state", world.state)).stdout) ? true : undefined))

    const status = await world.run("status", "--state", world.state)
    expect(status.stdout).toContain(`  ${kept} parked: STEP_HISTORY_MISMATCH: attempt 2 began new, which is not on record, and not old, `)
    expect(status.stdout).toContain(`    holdfast runs release ${kept}, or holdfast runs cancel ${kept}\n`)
    const { health, why } = JSON.parse((await world.run("status", "--json", "--state", world.state)).stdout)
    expect({ health, why: why.map((reason: string) => reason.slice(0, reason.indexOf(":"))).toSorted() }).toEqual({
      health: "warning",
      why: [`${dropped} is parked`, `${kept} is parked`]
    })
    expect((await runs("kept")).stdout).toMatch(/ parked .*STEP_HISTORY_MISMATCH/)
    const book = (run: string) => readFileSync(join(world.state, "runs", run, "book"), "utf8")
    expect([book(kept), book(dropped)]).toEqual([`${kept}/old 1\n`, `${dropped}/old 1\n`])

    const mistyped = await runs("cancel", `${kept}x`)
    expect(mistyped).toMatchObject({ code: 1, stderr: expect.stringMatching(/^RUN_UNKNOWN at run\n.*\n {2}fix: did you mean /) })
    expect(await runs("cancel", dropped)).toMatchObject({ code: 0, stdout: `${dropped} is cancelled\n` })
    expect(await runs("release", kept)).toMatchObject({ code: 0, stdout: expect.stringContaining(kept) })
    await runtime.says(/released by /)
    await runtime.says(/run {5}kept {2}success/)
    expect([book(kept), book(dropped)]).toEqual([`${kept}/old 1\n${kept}/new 3\n`, `${dropped}/old 1\n`])
    expect((await runs("dropped")).stdout).toMatch(/ cancelled /)
    expect(await runs("release", kept)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^RUN_NOT_PARKED at run\n/) })
  })
})
