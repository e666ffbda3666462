import { Effect } from "effect"
import type { DiskMemory } from "../../src/layers/DiskMemory.ts"

/** A disk whose syncs take as long as `sync.ms` says at the moment, so that a decision can be under way when something else comes. */
export const slowly = (memory: DiskMemory, sync: { ms: number }): DiskMemory => ({
  ...memory,
  disk: {
    ...memory.disk,
    open: (path, options) =>
      Effect.map(memory.disk.open(path, options), (file) => ({
        ...file,
        datasync: Effect.suspend(() => Effect.andThen(sync.ms === 0 ? Effect.void : Effect.sleep(sync.ms), file.datasync))
      }))
  }
})
