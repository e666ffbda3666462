import { Effect, Logger, Result } from "effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { adopted, session } from "../contracts/state.ts"
import { noFuse, noMounts } from "../mounts.ts"

const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "holdfast-place-")))
const mounts: Array<string> = []
afterAll(() => {
  for (const at of mounts.toReversed()) spawnSync("umount", ["-l", at])
  fs.rmSync(base, { recursive: true, force: true })
})
const folder = () => fs.mkdtempSync(join(base, "t-"))

/** The code that a start on this directory is refused by; nothing where it works there. */
const refusal = async (directory: string): Promise<string | undefined> => {
  const came = await Effect.runPromise(
    Effect.result(session(directory, (store) => store.append(adopted("a")))).pipe(
      Effect.provide(Disk.layerNode),
      Effect.provide(Logger.layer([]))
    )
  )
  return Result.isFailure(came) ? came.failure.code : undefined
}

const because = noMounts()
if (because !== undefined) console.log(`mounts: skipped, because ${because}`)
const becauseFuse = because ?? noFuse()
if (becauseFuse !== undefined) console.log(`a program as a file system: skipped, because ${becauseFuse}`)

/** What a start comes to where these are its environment's home and its user. */
const as = async (home: string | undefined, uid: number | undefined, directory: string): Promise<string | undefined> => {
  const was = process.env["HOME"]
  if (home === undefined) delete process.env["HOME"]
  else process.env["HOME"] = home
  if (uid !== undefined) process.seteuid?.(uid)
  try {
    return await refusal(directory)
  } finally {
    if (uid !== undefined) process.seteuid?.(0)
    if (was === undefined) delete process.env["HOME"]
    else process.env["HOME"] = was
  }
}

describe("a start", () => {
  it("works in a folder that is not there, in one that is, and in one below a link", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "real"))
    fs.symlinkSync(join(here, "real"), join(here, "alias"))
    assert.isUndefined(await refusal(join(here, "not", "there")))
    assert.isUndefined(await refusal(join(here, "not", "there")))
    assert.isUndefined(await refusal(join(here, "alias", "state")))
    assert.isTrue(fs.existsSync(join(here, "real", "state", "journal")))
  })

  it("is refused where the directory is a link, or one of ours in it, and nothing is written", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "real"))
    fs.symlinkSync(join(here, "real"), join(here, "state"))
    fs.mkdirSync(join(here, "other"))
    fs.symlinkSync(join(here, "real"), join(here, "other", "journal"))
    for (const name of ["state", "state/", "state/.", "other"])
      assert.strictEqual(await refusal(`${here}/${name}`), "STATE_DIR_SYMLINK", name)
    assert.deepStrictEqual(fs.readdirSync(join(here, "real")), [])
  })

  it("is refused where others may write, there or to its name", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "state"))
    fs.chmodSync(join(here, "state"), 0o777)
    assert.strictEqual(await refusal(join(here, "state")), "STATE_DIR_PERMISSIONS")
    fs.chmodSync(join(here, "state"), 0o755)
    assert.isUndefined(await refusal(join(here, "state")))
    fs.chmodSync(here, 0o777)
    assert.strictEqual(await refusal(join(here, "state")), "STATE_DIR_PERMISSIONS")
    fs.chmodSync(here, 0o1777)
    assert.isUndefined(await refusal(join(here, "state")))
  })

  it("is refused below what a program that synchronises has left", async () => {
    const here = folder()
    fs.mkdirSync(join(here, ".stfolder"))
    assert.strictEqual(await refusal(join(here, "deep", "state")), "STATE_DIR_SYNCED")
    assert.isFalse(fs.existsSync(join(here, "deep")))
  })

  it("is refused in a service's folder in the user's home, also where that is reached by a link", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "disk", "ann", "Dropbox"), { recursive: true })
    fs.symlinkSync(join(here, "disk"), join(here, "home"))
    const home = join(here, "home", "ann")
    assert.strictEqual(await as(home, undefined, join(home, "Dropbox", "state")), "STATE_DIR_SYNCED")
    assert.isUndefined(await as(home, undefined, join(home, "state")))
  })

  it.skipIf(because !== undefined)("works for a user whom the machine does not know and who has no home", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "state"), { mode: 0o700 })
    fs.chownSync(join(here, "state"), 12_345, 12_345)
    for (const way of [base, here]) fs.chmodSync(way, 0o755)
    assert.isUndefined(await as(undefined, 12_345, join(here, "state")))
  })

  it.skipIf(becauseFuse !== undefined)("is refused on a file system that is a program, which is not asked to write", async () => {
    const at = folder()
    const program = spawn(process.execPath, [join(import.meta.dirname, "../fuse.ts"), at], { stdio: ["ignore", "pipe", "inherit"] })
    const over = new Promise((resolve) => program.once("close", resolve))
    mounts.push(at)
    let said = ""
    try {
      await new Promise<void>((resolve, reject) => {
        program.stdout.on("data", (text: Buffer) => {
          said += String(text)
          if (said.includes("mounted")) resolve()
        })
        program.once("exit", () => reject(new Error(`it could not be mounted: ${said}`)))
      })
      assert.strictEqual(await refusal(at), "STATE_DIR_FUSE")
      assert.strictEqual(await refusal(join(at, "deep", "state")), "STATE_DIR_FUSE")
    } finally {
      program.kill("SIGKILL") // The kernel then answers in its place, so that nobody waits for it.
      await over
    }
    assert.strictEqual(said, "mounted\n") // It says what it is asked before it answers, and all of that has been heard.
  })

  it.skipIf(because !== undefined)("is refused in a folder of another user", async () => {
    const here = folder()
    fs.mkdirSync(join(here, "state"))
    fs.chownSync(join(here, "state"), 12_345, 12_345)
    assert.strictEqual(await refusal(join(here, "state")), "STATE_DIR_OWNER")
  })

  it.skipIf(because !== undefined)("knows the file system of a mount and of a part of another one that is mounted elsewhere", async () => {
    const [memory, elsewhere] = [folder(), folder()]
    assert.strictEqual(spawnSync("mount", ["-t", "tmpfs", "tmpfs", memory]).status, 0)
    mounts.push(memory)
    fs.mkdirSync(join(memory, "part"))
    assert.strictEqual(spawnSync("mount", ["--bind", join(memory, "part"), elsewhere]).status, 0)
    mounts.push(elsewhere)
    assert.isUndefined(await refusal(join(memory, "state")))
    assert.isUndefined(await refusal(join(elsewhere, "state")))
    assert.isTrue(fs.existsSync(join(memory, "part", "state", "journal")))
  })
})
