import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

it("the tests run on Node 26 or later, whatever node the system has", () => {
  // A blocked install script of the `node` package falls back to the system's node without a word.
  expect(Number(process.versions.node.split(".")[0]), `this is ${process.execPath}; is "node" in allowScripts?`).toBeGreaterThanOrEqual(26)
})

it("a child started as `node` is the node that runs the tests", () => {
  expect(execFileSync("node", ["-p", "process.version"], { encoding: "utf8" }).trim()).toBe(process.version)
})

it("the package's own name means its sources under the condition holdfast-source", () => {
  const ask = "console.log(import.meta.resolve('holdfast/machines'))"
  const child = execFileSync("node", ["--conditions=holdfast-source", "--input-type=module", "-e", ask], { encoding: "utf8" }).trim()
  expect(child).toMatch(/\/src\/machines\/index\.ts$/)
})

it("the lock file can be installed on every platform", () => {
  // npm writes a lock file without the optional packages it could not fetch, and `npm ci` then refuses it everywhere. Choose versions that are
  // published for all platforms, and write the lock file anew.
  const { packages } = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8")) as Lock
  const absent = Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${parent}/node_modules/${name}` in packages)
    )
  )
  expect(absent).toEqual([])
})

it("the lock file names no registry", () => {
  expect(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8")).not.toContain('"resolved"')
})

interface Lock {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>
}
