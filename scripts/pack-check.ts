/**
 * Proves what users get: packs the package, looks at each file in it, installs it as they would, and runs README's example,
 * `require` and the command on the Nodes that are promised, and on one that is too old.
 *
 * Needs `dist` (`npm run build`) and the registry. Works in a folder of its own under the system's temporary folder.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"

/** What may be in the package: the papers, and of `dist` anything but maps and left-overs of building. */
const allowed = [/^(README|CHANGELOG)\.md$/, /^LICENSE$/, /^package\.json$/, /^dist\/(?!.*\.(map|tsbuildinfo|test\.\w+)$).+/]

const root = resolve(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const scratch = mkdtempSync(join(tmpdir(), "holdfast-pack-"))
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }))

const example = embedExample()
const tarball = pack()
const project = install("project", {
  effect: manifest.peerDependencies.effect,
  xstate: manifest.peerDependencies.xstate,
  holdfast: tarball
})
const nodes = {
  [`node ${process.version}`]: process.execPath,
  "node 22": join(install("node22", { node: "22" }), "node_modules/node/bin/node")
}
const bin = join(project, "node_modules/holdfast/dist/bin.js")

writeFileSync(join(project, "embed.mts"), example)
for (const [name, node] of Object.entries(nodes)) {
  expectRun(`README's example on ${name}`, node, ["embed.mts"])
  expectRun(`require("holdfast") on ${name}`, node, [
    "-e",
    `if (Object.keys(require("holdfast")).length === 0) throw new Error("exports nothing")`
  ])
  for (const entry of Object.keys(manifest.exports).filter((key) => key.startsWith("./") && !key.endsWith(".json"))) {
    expectRun(`import "holdfast${entry.slice(1)}" on ${name}`, node, [
      "--input-type=module",
      "-e",
      `await import("holdfast${entry.slice(1)}")`
    ])
  }
  const { stdout } = expectRun(`holdfast --version on ${name}`, node, [bin, "--version"])
  if (stdout.trim() !== manifest.version) fail(`holdfast --version says "${stdout.trim()}", package.json says ${manifest.version}`)
}
expectRun("npx holdfast --version", "npx", ["--no-install", "holdfast", "--version"])
refusesOldNode()

/** The first `ts` block under "## Embed" of README.md. It runs as it stands, with the types stripped. */
function embedExample(): string {
  const file = join(root, "README.md")
  if (!existsSync(file)) fail('README.md is missing: its example under "## Embed" is run as a part of this check')
  const section = readFileSync(file, "utf8")
    .split(/^## /m)
    .find((part) => part.startsWith("Embed"))
  const block = /^```ts\n([\s\S]*?)^```$/m.exec(section ?? "")?.[1]
  return block ?? fail('README.md has no ```ts block under a heading "## Embed"')
}

function pack(): string {
  if (!existsSync(join(root, "dist/bin.js"))) fail("dist is missing: npm run build")
  const { stdout } = run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", scratch], root)
  const answer: unknown = JSON.parse(stdout)
  const [packed] = (Array.isArray(answer) ? answer : Object.values(answer as object)) as Array<Packed>
  if (packed === undefined) return fail("npm pack named no tarball")
  const files = packed.files.map((file) => file.path)
  const strays = files.filter((path) => !allowed.some((pattern) => pattern.test(path)))
  if (strays.length > 0) fail(`the package holds what it should not:\n  ${strays.join("\n  ")}`)
  const missing = required(manifest).filter((path) => !files.includes(path))
  if (missing.length > 0) fail(`the package lacks what it names:\n  ${missing.join("\n  ")}`)
  for (const path of files.filter((name) => name.startsWith("dist/"))) {
    if (readFileSync(join(root, path), "utf8").includes(root)) fail(`${path} holds a path of this machine`)
  }
  ok(`${files.length} files, ${Math.round(packed.size / 1024)} kB packed, ${Math.round(packed.unpackedSize / 1024)} kB unpacked`)
  return join(scratch, packed.filename)
}

function install(name: string, dependencies: Record<string, string>): string {
  const folder = join(scratch, name)
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies, allowScripts: { node: true } }))
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], folder)
  ok(`installed ${Object.keys(dependencies).join(", ")}`)
  return folder
}

/** Looks for a Node before 22.19 on PATH (a system often has one) and shows it the command. */
function refusesOldNode(): void {
  const old = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .find((file) => existsSync(file) && tooOld(file))
  if (old === undefined) return ok("no Node older than 22.19 on PATH: its refusal was not tried")
  const { status, stderr } = spawnSync(old, [bin, "--version"], { encoding: "utf8" })
  if (status !== 78 || !/^holdfast needs Node 22\.19 [^\n]*\n$/.test(stderr))
    fail(`${old}: want one sentence and exit 78, got exit ${status} and\n${stderr}`)
  ok(`${old} gets a sentence and exit 78`)
}

function tooOld(node: string): boolean {
  const [major = 0, minor = 0] = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.split(".").map(Number)
  return major < 22 || (major === 22 && minor < 19)
}

function expectRun(what: string, file: string, args: ReadonlyArray<string>) {
  const result = run(file, args, project, what)
  ok(what)
  return result
}

function run(file: string, args: ReadonlyArray<string>, cwd: string, what = `${file} ${args.join(" ")}`) {
  // The workspace's own binaries and npm's settings for it are nothing a user would have.
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(key)))
  const result = spawnSync(file, args, { cwd, env, encoding: "utf8", timeout: 300_000 })
  if (result.error !== undefined || result.status !== 0) {
    fail(`${what}: ${result.error?.message ?? `exit ${result.status ?? result.signal}`}\n${result.stdout ?? ""}${result.stderr ?? ""}`)
  }
  return result
}

function ok(what: string): void {
  console.log(`ok   ${what}`)
}

function fail(why: string): never {
  console.error(`fail ${why}`)
  process.exit(1)
}

interface Packed {
  readonly filename: string
  readonly size: number
  readonly unpackedSize: number
  readonly files: ReadonlyArray<{ readonly path: string }>
}

/** What package.json promises: each target of `exports` and `bin`, and the papers. */
function required({
  bin: bins,
  exports: entries
}: {
  bin: Record<string, string>
  exports: Record<string, string | Record<string, string>>
}) {
  const targets = Object.values(entries).flatMap((entry) => (typeof entry === "string" ? [entry] : [entry["types"], entry["default"]]))
  return [...Object.values(bins), ...targets]
    .flatMap((path) => (path === undefined ? [] : [path.replace(/^\.\//, "")]))
    .concat("README.md", "CHANGELOG.md", "LICENSE")
}
