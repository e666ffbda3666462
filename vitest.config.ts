import { defineConfig } from "vitest/config"

export default defineConfig({
  // The package imports itself by its public name in examples and skills: before a build that means the sources.
  ssr: { resolve: { conditions: ["holdfast-source", "module", "node", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/built.ts",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: "forks",
    maxWorkers: 4 // Most of the long ones wait for processes and sockets, so more of them than cores go well together.
  }
})
