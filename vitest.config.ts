import { defineConfig } from "vitest/config"

export default defineConfig({
  // The package imports itself by its public name in examples and skills: before a build that means the sources.
  ssr: { resolve: { conditions: ["holdfast-source", "module", "node", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: "forks"
  }
})
