/**
 * The disk as the state directory's own files see it. A folder that is moved away, unmounted or replaced while a runtime works
 * must not be made anew in its place, and nothing of ours may land in what stands there now.
 */
import * as Effect from "effect/Effect"
import { basename, sep } from "node:path"
import { DiskError } from "../domain/Errors.ts"
import { type Disk, same } from "./Disk.ts"

/**
 * Makes and removes files and folders beneath the directory only while that is the one it is now; `refused` is told what the disk says
 * to that. All else is the disk's own.
 */
export const housed = Effect.fnUntraced(function* (
  disk: Disk["Service"],
  directory: string,
  refused: (code: string) => Effect.Effect<void>
): Effect.fn.Return<Disk["Service"], DiskError> {
  const home = yield* disk.stat(directory)
  const atHome = Effect.flatMap(disk.stat(directory), (now) =>
    same(now, home) ? Effect.void : new DiskError({ operation: "stat", path: directory, code: "ENOENT" })
  )
  const tell = ({ code }: DiskError) => refused(code)
  const guarded = <A, R>(path: string, making: Effect.Effect<A, DiskError, R>) =>
    path === directory || path.startsWith(directory + sep)
      ? Effect.andThen(
          Effect.tapError(atHome, tell),
          Effect.tapError(making, (error) => (error.code === "ENOENT" ? Effect.void : tell(error))) // A folder yet to be made.
        )
      : making
  // The directory may have been exchanged between our look and the making. A draft goes then, before anything is in it; its name is
  // random, so it can be nobody else's.
  const stillHome = (path: string) =>
    Effect.tapError(atHome, (error) =>
      Effect.andThen(basename(path).startsWith(".draft-") ? Effect.ignore(disk.remove(path)) : Effect.void, tell(error))
    )
  return {
    ...disk,
    open: (path, options) =>
      options.create ? Effect.tap(guarded(path, disk.open(path, options)), () => stillHome(path)) : disk.open(path, options),
    write: (path, bytes) => guarded(path, disk.write(path, bytes)),
    makeDir: (path) => guarded(path, disk.makeDir(path)),
    remove: (path) => guarded(path, disk.remove(path))
  }
})
