/**
 * Where OpenClaw is installed. It is no dependency of ours: it is put into the user's cache folder, or taken from the folder that
 * `HOLDFAST_OPENCLAW` names, which has `node_modules/openclaw`.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

/** The version whose wire was measured. */
export const version = "2026.9.6"

const named = process.env["HOLDFAST_OPENCLAW"]
const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache")
const folder = named ?? join(cache, `holdfast/openclaw-${version}`)
const package_ = join(folder, "node_modules/openclaw")

/** OpenClaw's command, for Node; it is there once `absent` says nothing. */
export const command = join(package_, "openclaw.mjs")

/** Why there is no OpenClaw of that version to be had, in words; nothing where there is. */
export const absent = (): string | undefined => {
  if (!existsSync(command)) return `there is no OpenClaw at ${command}: HOLDFAST_OPENCLAW names the folder that it is installed in`
  const { version: found } = JSON.parse(readFileSync(join(package_, "package.json"), "utf8")) as { readonly version: string }
  return found === version ? undefined : `${package_} has version ${found}, and ${version} is the one that was measured`
}

/** The same, after a try to install it: half a gigabyte from the registry of npm, within ten minutes. Nothing is put into a folder that was named. */
export const install = (): string | undefined => {
  if (absent() === undefined || named !== undefined) return absent()
  mkdirSync(folder, { recursive: true })
  console.log(`OpenClaw: installing ${version} into ${folder}`)
  const args = ["install", `openclaw@${version}`, "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error"]
  const { error, status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", timeout: 600_000 })
  if (error !== undefined) return `npm could not install it: ${error.message}`
  return status === 0 ? absent() : `npm could not install it (exit ${status}): ${stderr.trim().split("\n")[0]}`
}
