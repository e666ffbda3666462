/**
 * Builds `dist` from nothing: the library file by file (tsc), the command in one piece (rolldown), the shipped skills as JavaScript.
 *
 * `dist` mirrors `src`, so a path relative to a module means the same in both: the bundle is `dist/cli/main.js`, and
 * `new URL("../layers/x.js", import.meta.url)` names the same file from `dist/cli` as from `dist/layers`.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { rolldown, type RolldownOutput } from "rolldown"

const root = resolve(import.meta.dirname, "..")
process.chdir(root)

rmSync("dist", { recursive: true, force: true })
library()
await command()
await skills()

function library(): void {
  const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
  chmodSync("dist/bin.js", 0o755)
}

/** One file that starts fast: everything but Node's own modules is in it, with the licences of what that is. */
async function command(): Promise<void> {
  rmSync("dist/cli", { recursive: true, force: true })
  const bundle = await rolldown({
    input: { main: "src/cli/main.ts" },
    platform: "node",
    external: [/^node:/, "bufferutil", "utf-8-validate"], // The last two are accelerators that `ws` tries and does without.
    resolve: { conditionNames: ["holdfast-source", "node", "import", "default"] }
  })
  const output = await bundle.write({ dir: "dist/cli", format: "esm", minify: { mangle: false, compress: true, codegen: false } })
  writeFileSync("dist/cli/LICENSES.txt", licences(output))
}

/** Node strips no types under `node_modules`, so a shipped skill is compiled and its SKILL.md names the result. */
async function skills(): Promise<void> {
  for (const name of existsSync("skills") ? readdirSync("skills") : []) {
    const from = join("skills", name)
    const to = join("dist", from)
    if (!existsSync(join(from, "SKILL.md"))) continue
    cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith(".ts") })
    const text = readFileSync(join(from, "SKILL.md"), "utf8")
    const module = /^(\s*module:\s*["']?)(\S+?)\.ts(["']?\s*)$/m.exec(text)
    if (module?.[2] === undefined) continue
    const bundle = await rolldown({ input: join(from, `${module[2]}.ts`), platform: "node", external: [/^node:/, /^holdfast($|\/)/] })
    await bundle.write({ file: join(to, `${module[2]}.js`), format: "esm" })
    writeFileSync(join(to, "SKILL.md"), text.replace(module[0], `${module[1]}${module[2]}.js${module[3]}`))
  }
}

function licences(output: RolldownOutput): string {
  const packages = new Set<string>()
  for (const chunk of output.output) {
    for (const file of chunk.type === "chunk" ? chunk.moduleIds : []) {
      const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)
      if (found !== null) packages.add(found[0])
    }
  }
  return [...packages]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      return `${name} ${version} (${license})\n\n${file === undefined ? "" : readFileSync(join(folder, file), "utf8")}`
    })
    .join("\n---\n\n")
}
