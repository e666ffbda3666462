/** A copy of a state directory that a runtime may be writing to: what is truth, and what runs left behind. */
import * as Effect from "effect/Effect"
import { basename, dirname, join } from "node:path"
import { type DiskError, shown, StateUnusable } from "../domain/Errors.ts"
import { Disk } from "./Disk.ts"
import { type Verified, verify } from "./Verify.ts"

/** What is copied, of what is there. Not the lock, which nobody else may open, nor its owner, the socket, the reserve, or views. */
const kept = ["journal", "runs", "damaged", "backup", "history.json"]

/**
 * Copies into `to`, an empty folder or one to be made, each file synced, and reads the copy as a start would. Segments only
 * grow, and are copied oldest first: the copy is the journal as it was at some moment. Where one goes meanwhile, since
 * history went, the copy is begun anew.
 */
export const backup = Effect.fnUntraced(function* (
  directory: string,
  to: string,
  onRead: (bytes: number) => void = () => {}
): Effect.fn.Return<Verified, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const there = yield* Effect.catch(disk.list(to), () => Effect.succeed(["a file"]))
  if (there.length > 0) return yield* taken(to, there[0]!)
  const copying = Effect.forEach(kept, (name) => copy(join(directory, name), join(to, name), onRead), { discard: true }).pipe(
    Effect.andThen(disk.syncDir(to)),
    Effect.andThen(Effect.ignore(disk.syncDir(dirname(to)))), // A parent we may not open is not ours to make durable.
    Effect.tapError(() => Effect.forEach(kept, (name) => Effect.ignore(disk.removeTree(join(to, name))), { discard: true }))
  )
  yield* disk.makeDir(to)
  yield* Effect.retry(copying, { times: 5, while: (error) => error.code === "ENOENT" })
  return yield* verify(to)
})

const copy: (from: string, to: string, onRead: (bytes: number) => void) => Effect.Effect<void, DiskError, Disk> = Effect.fnUntraced(
  function* (from, to, onRead) {
    const disk = yield* Disk
    const bytes = yield* Effect.catch(disk.read(from), (error) => (error.code === "EISDIR" ? Effect.undefined : Effect.fail(error))).pipe(
      Effect.catchIf(
        (error) => error.code === "ENOENT" && topmost.has(basename(from)),
        () => Effect.succeed(null)
      )
    )
    if (bytes === null) return
    if (bytes === undefined) {
      yield* disk.makeDir(to)
      for (const name of yield* disk.list(from)) {
        if (name !== "draft" && !name.startsWith(".draft-")) yield* copy(join(from, name), join(to, name), onRead)
      }
      return yield* disk.syncDir(to)
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* disk.open(to, { create: true })
        yield* file.append(bytes)
        yield* file.datasync
      })
    )
    onRead(bytes.length)
  }
)
const topmost: ReadonlySet<string> = new Set(kept)

const taken = (to: string, got: string) =>
  new StateUnusable({ code: "BACKUP_EXISTS", where: to, got: shown(got), want: "an empty folder, or none", fix: "name another folder" })
