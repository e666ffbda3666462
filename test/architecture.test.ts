import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { broken, meddling, unpaired } from "./architecture.ts"

const root = resolve(import.meta.dirname, "..")
const files = globSync(["src/**/*.ts", "skills/**/*.ts", "examples/**/*.ts"], { cwd: root }).toSorted()

describe("the house", () => {
  it("has files in it", () => {
    expect(files.length).toBeGreaterThan(20)
  })

  it("keeps its arrows, and takes no time or chance from the process", () => {
    expect(broken(new Map(files.map((file) => [file, readFileSync(resolve(root, file), "utf8")])))).toEqual([])
  })

  it("leaves the lock file to the lock", () => {
    const sources = new Map(files.map((file) => [file, readFileSync(resolve(root, file), "utf8")]))
    expect(meddling(sources)).toEqual([])
    expect(meddling(new Map([["src/layers/Backup.ts", `// A copy.\nread("lock/lock.db")`]]))).toEqual([
      "src/layers/Backup.ts:2: names lock.db (Lock.ts alone opens it)"
    ])
  })

  it("gives each machine a layer of its name", () => {
    expect(unpaired(files)).toEqual([])
  })
})

describe("the checker", () => {
  it.each<readonly [says: string, file: string, source: string]>([
    ["machines -/-> layers at run time", "src/machines/run.ts", `import { runMachine } from "../layers/actor.ts"`],
    ["machines -/-> domain at run time", "src/machines/run.ts", `import { missedAfterMs } from "../domain/Skill.ts"`],
    ["machines -/-> domain at run time", "src/machines/run.ts", `import { type Skill } from "../domain/Skill.ts"`],
    ["machines -/-> layers", "src/machines/run.ts", `import type { Disk } from "../layers/Disk.ts"`],
    ["machines -/-> layers", "src/machines/run.ts", `type Disk = import("../layers/Disk.ts").Disk`],
    ["machines -/-> effect/Effect", "src/machines/run.ts", `import * as Effect from "effect/Effect"`],
    ["domain -/-> layers", "src/domain/Run.ts", `import type { Disk } from "../layers/Disk.ts"`],
    ["domain -/-> machines at run time", "src/domain/Run.ts", `export { x } from "../machines/run.ts"`],
    ["domain -/-> node:fs", "src/domain/Run.ts", `import { readFileSync } from "node:fs"`],
    ["domain -/-> ws", "src/domain/Run.ts", `import { WebSocket } from "ws"`],
    ["domain -/-> effect/Clock", "src/domain/Run.ts", `import * as Clock from "effect/Clock"`],
    ["domain/policies -/-> domain at run time", "src/domain/policies/retry.ts", `import { iso } from "../Run.ts"`],
    ["domain/policies -/-> effect/Result", "src/domain/policies/retry.ts", `import * as Result from "effect/Result"`],
    ["layers -/-> cli at run time", "src/layers/Run.ts", `import { main } from "../cli/main.ts"`],
    ["layers -/-> gateway at run time", "src/layers/Run.ts", `const gateway = () => import("../gateway/index.ts")`],
    ["layers -/-> inspect at run time", "src/layers/Run.ts", `export * from "../inspect/index.ts"`],
    ["layers -/-> testing", "src/layers/Run.ts", `import type { World } from "../testing/World.ts"`],
    ["layers -/-> @effect/platform-node/NodeFileSystem", "src/layers/Run.ts", `import * as Fs from "@effect/platform-node/NodeFileSystem"`],
    ["meet in layers/actor.ts and layers/clock.ts alone", "src/layers/Run.ts", `import { createActor } from "xstate"`],
    ["meet in layers/actor.ts", "src/inspect/a.ts", `import { createActor } from "xstate"\nimport * as Effect from "effect/Effect"`],
    ["watch -/-> layers at run time", "src/watch/main.ts", `import { layer } from "../layers/Watch.ts"`],
    ["watch -/-> effect/Effect", "src/watch/main.ts", `import * as Effect from "effect/Effect"`],
    ["gateway -/-> cli at run time", "src/gateway/index.ts", `import { main } from "../cli/main.ts"`],
    ["entry -/-> cli at run time", "src/index.ts", `import { main } from "./cli/main.ts"`],
    ["bin -/-> layers at run time", "src/bin.ts", `import { runMachine } from "./layers/actor.ts"`],
    ["the barrel makes every start slower", "src/layers/Run.ts", `import { Effect } from "effect"`],
    ["skills -/-> entry at run time", "skills/a/skill.ts", `import { createRuntime } from "../../src/index.ts"`],
    ["skills -/-> effect/Effect", "skills/a/skill.ts", `import * as Effect from "effect/Effect"`],
    ["a skill stands alone", "skills/a/skill.ts", `import { b } from "../b/skill.ts"`],
    ["examples -/-> layers at run time", "examples/a.ts", `import { runMachine } from "../src/layers/actor.ts"`],
    ["stands in no room", "src/helpers/a.ts", `import "node:fs"`],
    ["Date.now (layers asks", "src/layers/Run.ts", `const now = Date.now()`],
    ["Date.now (domain asks", "src/domain/Run.ts", `[1].map(Date.now)`],
    ["new Date() (machines asks", "src/machines/run.ts", `const now = new Date()`],
    ["Math.random (domain/policies asks", "src/domain/policies/retry.ts", `const chance = Math["random"]()`],
    ["setTimeout() (layers asks", "src/layers/Run.ts", `setTimeout(() => {}, 1)`],
    ["globalThis.setInterval (layers asks", "src/layers/Run.ts", `globalThis.setInterval(() => {}, 1)`],
    ["performance.now (layers asks", "src/layers/Run.ts", `performance.now()`],
    ["process.hrtime (layers asks", "src/layers/Run.ts", `process.hrtime.bigint()`],
    ['node:timers/promises" (layers asks', "src/layers/Run.ts", `import { setTimeout as sleep } from "node:timers/promises"`]
  ])("says %j of %s: %s", (says, file, source) => {
    expect(broken(new Map([[file, `// A first line.\n${source}\n`]]))).toEqual([expect.stringContaining(`${file}:2: `)])
    expect(broken(new Map([[file, source]]))[0]).toContain(says)
  })

  it.each<readonly [file: string, source: string]>([
    [
      "src/machines/run.ts",
      `import { setup } from "xstate"\nimport type { Run } from "../domain/Run.ts"\nimport { retry } from "../domain/policies/retry.ts"`
    ],
    ["src/machines/run.ts", `type RunId = import("../domain/Run.ts").RunId`],
    ["src/domain/Run.ts", `import * as Schema from "effect/Schema"\nexport const at = (ms: number) => new Date(ms)`],
    ["src/layers/actor.ts", `import { createActor } from "xstate"\nimport * as Effect from "effect/Effect"`],
    [
      "src/layers/Run.ts",
      `import type { ActorRef } from "xstate"\nimport { runMachine } from "./actor.ts"\nimport { machine } from "../machines/run.ts"`
    ],
    ["src/layers/clock.ts", `export const clock = { setTimeout: (ms: number) => ms } // Date.now() in a comment is no call.`],
    ["src/inspect/index.ts", `import { getAdjacencyMap } from "xstate/graph"\nexport const now = Date.now()`],
    ["src/cli/main.ts", `import * as NodeRuntime from "@effect/platform-node/NodeRuntime"\nimport { gateway } from "../gateway/index.ts"`],
    ["src/bin.ts", `void import("./cli/main.ts")`],
    [
      "skills/a/skill.ts",
      `import type { SkillContext } from "holdfast"\nimport { b } from "./b.ts"\nimport * as fs from "node:fs/promises"`
    ],
    ["examples/a.ts", `import { Holdfast } from "holdfast/effect"\nimport { Effect } from "effect"`]
  ])("has nothing to say of %s: %s", (file, source) => {
    expect(broken(new Map([[file, source]]))).toEqual([])
  })

  it("names a machine without its layer, and asks none of guarantees, index and port", () => {
    const machines = ["outbox", "guarantees", "index", "port", "run"].map((name) => `src/machines/${name}.ts`)
    expect(unpaired([...machines, "src/layers/Run.ts"])).toEqual([
      expect.stringMatching(/^src\/machines\/outbox\.ts:1: .*src\/layers\/Outbox\.ts is missing/)
    ])
  })
})
