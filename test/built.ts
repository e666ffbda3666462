/**
 * Builds the command before the tests, where its sources are newer than it is: what tests start as a process is what users
 * start, and it starts four times faster than the sources do.
 */
import { spawnSync } from "node:child_process"
import { existsSync, globSync, statSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
/** The built command. */
export const bin = join(root, "dist/bin.js")

/** Whether there is a command to start: there is, but for copies of the tree that leave out how it is made. */
export const built = (): boolean => existsSync(bin)

export const setup = (): void => {
  const script = join(root, "scripts/build.ts")
  const made = join(root, "dist/cli/main.js")
  const newest = Math.max(
    ...globSync(["src/**/*.ts", "skills/**/*", "package.json"], { cwd: root }).map((file) => statSync(join(root, file)).mtimeMs)
  )
  if (!existsSync(script) || (existsSync(made) && statSync(made).mtimeMs > newest)) return
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd: root, encoding: "utf8" })
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`)
}
