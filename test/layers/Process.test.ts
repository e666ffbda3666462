import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import type { ProcessIdentity } from "../../src/domain/Attempt.ts"
import type { Ending } from "../../src/domain/Ending.ts"
import { outputBytesMax } from "../../src/layers/Output.ts"
import { Secrets } from "../../src/layers/Secrets.ts"
import { processIdentity } from "../../src/layers/platform.ts"
import { redactionOf } from "../../src/domain/Redaction.ts"
import { Process, type ProcessSpec, type Survivor } from "../../src/layers/Process.ts"
import { performProcess } from "../../src/layers/SkillProcess.ts"
import { definition, facts, folder, living, program, until } from "./children.ts"

const spec = (
  directory: string,
  argv: ProcessSpec<never, never>["argv"],
  more: Partial<ProcessSpec<never, never>> = {}
): ProcessSpec<never, never> => ({
  argv,
  directory,
  cwd: directory,
  env: { PATH: process.env["PATH"]! },
  timeoutMs: 20_000,
  graceMs: 500,
  onSpawned: () => Effect.void,
  ...more
})
const run = <E>(it: ProcessSpec<E, never>) => Process.use((processes) => processes.run(it)).pipe(Effect.provide(Process.layer))
const survivors = (orphans: Parameters<Process["Service"]["survivors"]>[0]) =>
  Process.use((processes) => processes.survivors(orphans)).pipe(Effect.provide(Process.layer))

const follow = (survivor: Survivor) => Process.use((processes) => processes.follow(survivor)).pipe(Effect.provide(Process.layer))

/** A length of sleep that no other process uses, to find its sleepers by. */
let naps = 0
const nap = () => `7${process.pid}${++naps}`

describe("the end of a process", () => {
  it.live("is its exit code, or the signal that ended it", () =>
    Effect.gen(function* () {
      const dir = folder()
      assert.deepStrictEqual(yield* run(spec(dir, ["sh", "-c", "echo out; echo err >&2; exit 3"])), { _tag: "Exited", code: 3 })
      assert.strictEqual(fs.readFileSync(join(dir, "stdout.log"), "utf8"), "out\n")
      assert.strictEqual(fs.readFileSync(join(dir, "stderr.log"), "utf8"), "err\n")
      assert.strictEqual(fs.statSync(join(dir, "stdout.log")).mode & 0o777, 0o600)
      assert.deepStrictEqual(yield* run(spec(dir, ["sh", "-c", "kill -SEGV $$"])), { _tag: "Signalled", signal: "SIGSEGV" })
    })
  )

  it.live("comes after it has read what it was given: a file, or nothing", () =>
    Effect.gen(function* () {
      const dir = folder()
      const stdin = join(dir, "input")
      fs.writeFileSync(stdin, "line\n".repeat(50_000))
      yield* run(spec(dir, ["wc", "-l"], { stdin }))
      assert.strictEqual(fs.readFileSync(join(dir, "stdout.log"), "utf8").trim(), "50000")
      yield* run(spec(dir, ["wc", "-l"]))
      assert.strictEqual(fs.readFileSync(join(dir, "stdout.log"), "utf8").trim(), "0")
      assert.strictEqual((yield* Effect.flip(run(spec(dir, ["wc", "-l"], { stdin: join(dir, "gone") })))).code, "RUN_SPAWN_DIRECTORY")
    })
  )

  it.live("after its time is TimedOut, and a child that ignores TERM is gone all the same", () =>
    Effect.gen(function* () {
      const dir = folder(),
        mark = nap()
      const end = yield* run(
        spec(dir, ["sh", "-c", `trap 'echo asked' TERM; while :; do sleep ${mark} & wait; done`], { timeoutMs: 300, graceMs: 400 })
      )
      assert.deepStrictEqual(end, { _tag: "TimedOut" })
      assert.match(fs.readFileSync(join(dir, "stdout.log"), "utf8"), /asked/)
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("is not waited for past the leader, and takes the rest of the group with it", () =>
    Effect.gen(function* () {
      const dir = folder(),
        mark = nap()
      const script = `(trap '' TERM; sleep ${mark}) & env -i sleep ${mark} & exit 0`
      assert.deepStrictEqual(yield* run(spec(dir, ["sh", "-c", script])), { _tag: "Exited", code: 0 })
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("takes a daemon with it that left the group by a double fork", () =>
    Effect.gen(function* () {
      const dir = folder(),
        mark = nap()
      const end = yield* run(
        spec(dir, ["sh", "-c", `setsid sh -c 'sleep ${mark} & sleep ${mark}' & until ps ax | grep -q '[s]leep ${mark}'; do :; done`])
      )
      assert.deepStrictEqual(end, { _tag: "Exited", code: 0 })
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("leaves the processes of another run alone", () =>
    Effect.gen(function* () {
      const dir = folder(),
        mark = nap()
      const other = yield* Effect.forkChild(run(spec(folder(), ["sleep", mark])))
      yield* until(() => living(mark).length === 1, "the other run's process")
      yield* run(spec(dir, ["true"]))
      assert.strictEqual(living(mark).length, 1)
      yield* Fiber.interrupt(other)
    })
  )

  it.live("comes with interruption, which returns when nothing of the run is alive", () =>
    Effect.gen(function* () {
      const dir = folder(),
        mark = nap()
      const running = yield* Effect.forkChild(
        run(spec(dir, ["sh", "-c", `trap '' TERM; sleep ${mark} & sleep ${mark} & wait; sleep ${mark}`]))
      )
      yield* until(() => living(`sleep ${mark}`).length >= 3, "three processes")
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(living(mark), [])
    })
  )
})

describe("a start", () => {
  class Unjournaled extends Schema.TaggedError<Unjournaled>()("Unjournaled", {}) {}

  it.live("is told with the identity of the living process", () =>
    Effect.gen(function* () {
      let told: ProcessIdentity | undefined
      const onSpawned = (identity: ProcessIdentity) =>
        Effect.map(processIdentity(identity.pid), (again) => {
          told = identity
          assert.deepStrictEqual(again, identity)
        })
      yield* run(spec(folder(), ["sleep", "0.3"], { onSpawned }))
      assert.isDefined(told)
    })
  )

  it.live("that cannot be recorded is undone", () =>
    Effect.gen(function* () {
      const mark = nap()
      const end = yield* Effect.flip(run({ ...spec(folder(), ["sleep", mark]), onSpawned: () => new Unjournaled() }))
      assert.strictEqual(end._tag, "Unjournaled")
      assert.deepStrictEqual(living(mark), [])
    })
  )

  const refusals: ReadonlyArray<[string, string, (dir: string) => Partial<ProcessSpec<never, never>>]> = [
    ["a program that is not there", "RUN_SPAWN_ENOENT", () => ({ argv: ["no-such-program"] })],
    ["a folder that is not there, and not the program", "RUN_SPAWN_CWD", (dir) => ({ argv: ["true"], cwd: join(dir, "gone") })],
    [
      "a file that may not be executed",
      "RUN_SPAWN_EACCES",
      (dir) => {
        fs.writeFileSync(join(dir, "data"), "#!/bin/sh\n", { mode: 0o644 })
        return { argv: ["./data"] }
      }
    ],
    ["a text that only a shell would run", "RUN_SPAWN_ENOEXEC", (dir) => ({ argv: [program(dir, "bare", "echo hello\n")] })],
    ["an interpreter that is not there", "RUN_SPAWN_INTERPRETER", (dir) => ({ argv: [program(dir, "odd", "#!/no/such/interpreter\n")] })],
    ["arguments past the system's limit", "RUN_SPAWN_E2BIG", () => ({ argv: ["true", "x".repeat(4_000_000)] })],
    ["a run folder that is gone", "RUN_SPAWN_DIRECTORY", (dir) => ({ argv: ["true"], directory: join(dir, "gone") })]
  ]
  it.live.each(refusals)("names %s", ([, code, more]) =>
    Effect.gen(function* () {
      const dir = folder()
      assert.strictEqual((yield* Effect.flip(run(spec(dir, ["true"], more(dir))))).code, code)
    })
  )
})

describe("output", () => {
  it.live("of 60 MB is at most 1 MiB: its beginning, how much is gone, and its end", () =>
    Effect.gen(function* () {
      const dir = folder()
      // The last line comes after the cuts: one that is printed in the middle of a cut may go with the rest.
      yield* run(spec(dir, ["sh", "-c", "echo first; yes | head -c 60000000; sleep 1; echo last"]))
      const text = fs.readFileSync(join(dir, "stdout.log"), "utf8")
      assert.isAtMost(text.length, outputBytesMax)
      assert.match(text, /^first\ny\n/)
      assert.match(text, /\[holdfast: about \d{8} bytes cut here\]\n/)
      assert.match(text, /y\nlast\n$/)
    })
  )

  it.live("is bounded when the process ends before anybody looked", () =>
    Effect.gen(function* () {
      const dir = folder()
      yield* run(spec(dir, ["head", "-c", "3000000", "/dev/zero"]))
      assert.isAtMost(fs.statSync(join(dir, "stdout.log")).size, outputBytesMax)
    })
  )

  it.live("is bounded while the process still prints", () =>
    Effect.gen(function* () {
      const dir = folder()
      const running = yield* Effect.forkChild(run(spec(dir, ["sh", "-c", "head -c 9000000 /dev/zero; sleep 20"])))
      const size = () => fs.statSync(join(dir, "stdout.log"), { throwIfNoEntry: false })?.size ?? 0
      yield* until(() => size() > outputBytesMax / 2 && size() <= outputBytesMax, "a cut")
      yield* Fiber.interrupt(running)
    })
  )

  it.live("never follows a link that an earlier attempt left", () =>
    Effect.gen(function* () {
      const dir = folder()
      const precious = program(dir, "precious", "keep")
      fs.symlinkSync(precious, join(dir, "stdout.log"))
      yield* run(spec(dir, ["echo", "hello"]))
      assert.strictEqual(fs.readFileSync(precious, "utf8"), "keep")
    })
  )
})

describe("what an old runtime left", () => {
  /** A process of a run as a dead runtime leaves it: in its own group, and nobody's child that matters. */
  const orphan = (argv: ReadonlyArray<string>, directory?: string) => {
    const env = { PATH: process.env["PATH"]!, ...(directory === undefined ? {} : { HOLDFAST_RUN_DIRECTORY: directory }) }
    return spawn(argv[0]!, argv.slice(1), { detached: true, stdio: "ignore", env })
  }

  it.live("is found by its recorded identity, with its whole group", () =>
    Effect.gen(function* () {
      const mark = nap()
      const child = orphan(["sh", "-c", `sleep ${mark} & sleep ${mark}`])
      yield* until(() => living(`sleep ${mark}`).length >= 3, "the orphans")
      const identity = yield* processIdentity(child.pid!)
      assert.deepStrictEqual(yield* survivors([{ directory: folder(), process: identity }]), { killed: 3, alive: [] })
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("is followed to its end, and what it leaves in its group is ended with it", () =>
    Effect.gen(function* () {
      const mark = nap(),
        dir = folder()
      const child = orphan(["sh", "-c", `env -i sleep ${mark} & until [ -e ${dir}/go ]; do sleep 0.05; done`])
      yield* until(() => living(`sleep ${mark}`).length >= 2, "the orphans")
      const followed = { process: (yield* processIdentity(child.pid!))!, directory: dir, timeoutMs: 20_000, graceMs: 100 }
      const waiting = yield* Effect.forkChild(follow(followed), { startImmediately: true })
      fs.writeFileSync(join(dir, "go"), "")
      assert.deepStrictEqual(yield* Fiber.join(waiting), { _tag: "Ended" })
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("has ended where a later process has its number, which is left alone", () =>
    Effect.gen(function* () {
      const mark = nap()
      const child = orphan(["sleep", mark])
      const identity = yield* processIdentity(child.pid!)
      const followed = { process: { ...identity!, startTime: "1" }, directory: folder(), timeoutMs: 0, graceMs: 0 }
      assert.deepStrictEqual(yield* follow(followed), { _tag: "Ended" })
      assert.strictEqual(living(mark).length, 1)
      child.kill("SIGKILL")
    })
  )

  it.live("is not a later process of the same number", () =>
    Effect.gen(function* () {
      const mark = nap()
      const child = orphan(["sleep", mark])
      const identity = yield* processIdentity(child.pid!)
      assert.isDefined(identity)
      for (const other of [
        { ...identity, startTime: "1" },
        { ...identity, bootId: "another" }
      ]) {
        assert.deepStrictEqual(yield* survivors([{ directory: folder(), process: other }]), { killed: 0, alive: [] })
      }
      assert.strictEqual(living(mark).length, 1)
      child.kill("SIGKILL")
    })
  )

  it.live.runIf(process.platform === "linux")("is found by its environment when the crash came before its record", () =>
    Effect.gen(function* () {
      const mark = nap(),
        dir = folder()
      orphan(["sh", "-c", `trap '' TERM; setsid sleep ${mark} & sleep ${mark}`], dir)
      yield* until(() => living(`sleep ${mark}`).length >= 3, "the orphans")
      assert.deepStrictEqual(yield* survivors([{ directory: dir, process: undefined }]), { killed: 3, alive: [] })
      assert.deepStrictEqual(living(mark), [])
    })
  )

  it.live("leaves no secret in what it had printed", () =>
    Effect.gen(function* () {
      const dir = folder()
      const names = ["stdout.log", "stderr.log", "result.json"]
      for (const name of names) fs.writeFileSync(join(dir, name), "a canary-of-a-dead-run b")
      fs.writeFileSync(join(dir, "elsewhere"), "canary-of-a-dead-run")
      fs.rmSync(join(dir, "stderr.log"))
      fs.symlinkSync("elsewhere", join(dir, "stderr.log"))
      yield* Effect.provideService(
        survivors([{ directory: dir, process: undefined }]),
        Secrets,
        redactionOf([{ name: "KEY", value: "canary-of-a-dead-run" }])
      )
      const left = names.map((name) => fs.readFileSync(join(dir, name), "utf8"))
      assert.deepStrictEqual(left, ["a [redacted KEY] b", "canary-of-a-dead-run", "a [redacted KEY] b"])
    })
  )

  it.live("is not a zombie", () =>
    Effect.gen(function* () {
      const dir = folder()
      // The shell becomes a program that reaps nobody, so its child stays a zombie.
      const parent = orphan(["sh", "-c", `sh -c 'echo $$ > ${dir}/zombie; exit 0' & exec sleep 20`], dir)
      const pid = () => Number(fs.existsSync(join(dir, "zombie")) ? fs.readFileSync(join(dir, "zombie"), "utf8") : 0)
      yield* until(
        () => pid() > 0 && execFileSync("ps", ["-o", "stat=", "-p", String(pid())], { encoding: "utf8" }).startsWith("Z"),
        "a zombie"
      )
      assert.isUndefined(yield* processIdentity(pid()))
      const identity = yield* processIdentity(parent.pid!)
      assert.deepStrictEqual(yield* survivors([{ directory: dir, process: identity }]), { killed: 1, alive: [] })
    })
  )
})

describe("a skill that is a program", () => {
  const noSteps = { asked: () => 0 }
  const perform = (script: string, more: Partial<Parameters<typeof definition>[1]> = {}, dir = folder()) => {
    const argv = [program(dir, "skill.sh", `#!/bin/sh\n${script}\n`)] as const
    return performProcess(definition({ _tag: "Process", argv, folder: dir }, more), facts(dir), noSteps, () => Effect.void).pipe(
      Effect.provide(Process.layer)
    )
  }

  it.live("succeeds with the fields of its result file", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* perform(`echo '{"posts":4,"account":"en","summary":"Four posts."}' > $HOLDFAST_RESULT`), {
        _tag: "Succeeded",
        fields: { posts: 4, account: "en" },
        summary: "Four posts."
      })
      assert.deepStrictEqual(yield* perform(":"), { _tag: "Succeeded", fields: {}, summary: undefined })
    })
  )

  it.live("has the environment it is promised, and no more", () =>
    Effect.gen(function* () {
      const dir = folder()
      Object.assign(process.env, {
        PROBE_DECLARED: "yes",
        PROBE_OTHER: "no",
        GIT_DIR: "no",
        LD_PROBE: "no",
        HOLDFAST_GATEWAY_TOKEN: "secret",
        HOLDFAST_HOOK_TOKEN: "secret"
      })
      yield* perform(
        `env | sort > env.txt; test -d "$TMPDIR"`,
        { env: ["PROBE_DECLARED", "GIT_DIR", "LD_PROBE", "HOLDFAST_GATEWAY_TOKEN", "HOLDFAST_HOOK_TOKEN", "NODE_OPTIONS"] },
        dir
      )
      const names = fs
        .readFileSync(join(dir, "env.txt"), "utf8")
        .trim()
        .split("\n")
        .map((line) => line.split("=")[0]!)
      assert.deepStrictEqual(
        names.filter((name) => !["LANG", "LC_ALL", "TZ", "PWD", "OLDPWD", "SHLVL", "_"].includes(name)),
        [
          "HOLDFAST_ATTEMPT",
          "HOLDFAST_FENCE",
          "HOLDFAST_HISTORY",
          "HOLDFAST_IDEMPOTENCY_KEY",
          "HOLDFAST_MISSED",
          "HOLDFAST_RESULT",
          "HOLDFAST_RUN_DIRECTORY",
          "HOLDFAST_RUN_ID",
          "HOLDFAST_SKILL",
          "HOLDFAST_SLOT",
          "HOLDFAST_TIMEOUT_AT",
          "HOME",
          "PATH",
          "PROBE_DECLARED",
          "TMPDIR"
        ]
      )
      assert.match(fs.readFileSync(join(dir, "env.txt"), "utf8"), /HOLDFAST_SLOT=2026-11-22T06:00:00Z/)
      assert.isFalse(fs.existsSync(join(dir, "tmp")))
    })
  )

  const ends: ReadonlyArray<[string, Ending, RegExp, boolean]> = [
    ["exit 3", "RUN_EXIT", /^exit 3, nothing on stderr/, true],
    ["printf 'first\\nbad \\033[31mred\\n' >&2; exit 1", "RUN_EXIT", /^exit 1: bad \\u001b\[31mred$/, true],
    ["exit 75", "RUN_EXIT", /^exit 75/, true],
    ["exit 64", "RUN_EXIT", /^exit 64/, false],
    ["exit 78", "RUN_EXIT", /^exit 78/, false],
    ["kill -KILL $$", "RUN_SIGNAL", /SIGKILL/, true],
    ["mkfifo $HOLDFAST_RESULT", "RUN_RESULT", /not a regular file/, false],
    ["ln -s /etc/passwd $HOLDFAST_RESULT", "RUN_RESULT", /a link/, false],
    ["echo '{\"posts\":' > $HOLDFAST_RESULT", "RUN_RESULT", /not JSON/, false],
    ["> $HOLDFAST_RESULT", "RUN_RESULT", /empty/, false],
    ["echo '[1]' > $HOLDFAST_RESULT", "RUN_RESULT", /want an object/, false],
    ["echo '{\"a\":{}}' > $HOLDFAST_RESULT", "RUN_RESULT", /^result.json: a: got \{\}/, false],
    ["echo '{\"__proto__\":1}' > $HOLDFAST_RESULT", "RUN_RESULT", /field name __proto__/, false],
    ["truncate -s 100M $HOLDFAST_RESULT", "RUN_RESULT", /got 104857600 bytes/, false],
    ["mkdir $HOLDFAST_RESULT", "RUN_RESULT", /not a regular file/, false],
    ["rm -r $HOLDFAST_RUN_DIRECTORY", "RUN_DIRECTORY_GONE", /is gone/, false],
    ["rm -r $HOLDFAST_RUN_DIRECTORY; exit 1", "RUN_EXIT", /^exit 1, nothing on stderr/, true],
    ["exit 137", "RUN_EXIT", /^exit 137/, true]
  ]
  it.live.each(ends)("that does `%s` fails as %s", ([script, code, reason, retryable]) =>
    Effect.gen(function* () {
      const end = yield* perform(script)
      assert.deepInclude(end, { _tag: "Failed", code, retryable })
      assert.match(end._tag === "Failed" ? end.reason : "", reason)
    })
  )

  it.live.each([
    ["exit 1", "retryable"],
    ["exit 78", "config"],
    ["exit 69", "link"],
    ["echo '[1]' > $HOLDFAST_RESULT", "terminal"]
  ] as const)("that does `%s` is of the class %s", ([script, failure]) =>
    Effect.map(perform(script), (end) => assert.deepInclude(end, { _tag: "Failed", class: failure }))
  )

  it.live("fails and may be tried again where its folder refuses what it needs", () =>
    Effect.gen(function* () {
      const dir = folder()
      fs.writeFileSync(join(dir, "tmp"), "in the way")
      const end = yield* perform("exit 0", {}, dir)
      assert.deepInclude(end, { _tag: "Failed", code: "RUN_SPAWN_DIRECTORY", retryable: true })
      assert.match(end._tag === "Failed" ? end.reason : "", /^\/.*: got EEXIST/)
    })
  )

  it.live("is not credited with the result of an earlier attempt", () =>
    Effect.gen(function* () {
      const dir = folder()
      yield* perform("echo '{\"posts\":4}' > $HOLDFAST_RESULT; exit 1", {}, dir)
      assert.deepInclude(yield* perform("exit 0", {}, dir), { fields: {} })
    })
  )

  it.live("that takes too long fails as RUN_TIMEOUT, to be tried again", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* perform("sleep 30", { timeoutMs: 200 }), { code: "RUN_TIMEOUT", retryable: true })
    })
  )

  it.live("that cannot be started is a failed attempt with the reason", () =>
    Effect.gen(function* () {
      const dir = folder()
      const missing = definition({ _tag: "Process", argv: ["./none"], folder: dir })
      const end = yield* performProcess(missing, facts(dir), noSteps, () => Effect.void).pipe(Effect.provide(Process.layer))
      assert.deepInclude(end, { code: "RUN_SPAWN_ENOENT", retryable: false })
      assert.match(end._tag === "Failed" ? end.reason : "", /^\/.*\/none: got ENOENT, want a program that exists; correct `run`/)
    })
  )
})
