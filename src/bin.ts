#!/usr/bin/env node
// Only what a Node of any age can read stands here: one that is too old gets a sentence and not a stack.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `holdfast needs Node 22.19 or later; this is ${process.version} (${process.execPath}). Install a newer one: https://nodejs.org`
  )
  process.exitCode = 78
} else {
  void import("./cli/main.ts")
    .then(({ main }) => main(process.argv.slice(2)))
    .then((code) => {
      process.exitCode = code
    })
}
