import { Effect, Logger, Result } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { adopted, session } from "../contracts/state.ts"
import { noMounts } from "../mounts.ts"

const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "holdfast-place-")))
const mounts: Array<string> = []
afterAll(() => {
  for (const at of mounts.toReversed()) spawnSync("umount", [at])
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
    assert.strictEqual(await refusal(join(here, "state")), "STATE_DIR_SYMLINK")
    assert.strictEqual(await refusal(join(here, "other")), "STATE_DIR_SYMLINK")
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
