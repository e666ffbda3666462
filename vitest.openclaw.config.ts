import { defineConfig } from "vitest/config"
import base from "./vitest.config.ts"

// Beside the real gateway, which takes twenty seconds to be ready and is away for a minute on purpose.
export default defineConfig({
  ...base,
  test: { ...base.test, include: ["test/openclaw/*.openclaw.ts"], testTimeout: 600_000, hookTimeout: 900_000, fileParallelism: false }
})
