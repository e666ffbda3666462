import { defineConfig } from "vitest/config"
import base from "./vitest.config.ts"

// Started by scripts/deep.ts, which sets the budget. Each test divides it as it likes; none is cut off by a clock of vitest's.
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ["test/**/*.deep.ts"],
    passWithNoTests: true,
    testTimeout: 24 * 3_600_000,
    hookTimeout: 120_000,
    fileParallelism: false
  }
})
