/**
 * The tests that deserve more than a minute, within a budget: `npm run test:deep -- --minutes 10 --kills 200 --days 1000 [--seed N] [file ...]`.
 *
 * They read their budget from `HOLDFAST_DEEP_MINUTES`, `HOLDFAST_DEEP_KILLS`, `HOLDFAST_DEEP_DAYS` and `HOLDFAST_DEEP_SEED`; the
 * seed is printed so that what was found can be found again.
 */
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"

const usage = "usage: npm run test:deep -- [--minutes N] [--kills N] [--days N] [--seed N] [file ...]"
const { values, positionals } = read()
const minutes = positive("minutes", values.minutes)
const kills = positive("kills", values.kills)
const days = positive("days", values.days)
const seed = values.seed === undefined ? randomInt(2 ** 31) : positive("seed", values.seed)

const replay = `npm run test:deep -- --minutes ${minutes} --kills ${kills} --days ${days} --seed ${seed} ${positionals.join(" ")}`.trimEnd()
console.log(`deep: ${minutes} minutes, ${kills} kills, ${days} days, seed ${seed}; again with\n  ${replay}\n`)

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")
const child = spawn(process.execPath, [vitest, "run", "-c", "vitest.deep.config.ts", ...positionals], {
  cwd: resolve(import.meta.dirname, ".."),
  stdio: "inherit",
  env: {
    ...process.env,
    HOLDFAST_DEEP_MINUTES: String(minutes),
    HOLDFAST_DEEP_KILLS: String(kills),
    HOLDFAST_DEEP_DAYS: String(days),
    HOLDFAST_DEEP_SEED: String(seed)
  }
})
child.on("exit", (code) => {
  if (code !== 0) console.log(`\ndeep: failed; again with\n  ${replay}`)
  process.exitCode = code ?? 1
})

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        minutes: { type: "string", default: "10" },
        kills: { type: "string", default: "200" },
        days: { type: "string", default: "1000" },
        seed: { type: "string" }
      }
    })
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
    process.exit(64)
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 0 && text.trim() !== "") return value
  console.error(`--${name}: got "${text}", want a number\n${usage}`)
  process.exit(64)
}
