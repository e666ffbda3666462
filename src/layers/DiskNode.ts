/** The disk of this machine, over `node:fs`. Created files are 0600, folders 0700, and no link is followed to a file. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import { DiskError } from "../domain/Errors.ts"
import type { Disk, OpenFile } from "./Disk.ts"
import { errorCode } from "./platform.ts"

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants

const open = Effect.fnUntraced(function* (
  path: string,
  options: { readonly create: boolean }
): Effect.fn.Return<OpenFile, DiskError, Scope.Scope> {
  const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | (options.create ? O_CREAT | O_EXCL : 0)
  const fd = yield* Effect.acquireRelease(descriptor(path, flags), (opened) => close(opened, path))
  return {
    append: (bytes) => append(fd, path, bytes, 0),
    truncate: (length) => call("truncate", path, (done) => fs.ftruncate(fd, length, done)),
    datasync: call("datasync", path, (done) => fs.fdatasync(fd, done)),
    named: Effect.map(
      call<fs.Stats>("named", path, (done) => fs.fstat(fd, done)),
      (stats) => stats.nlink > 0
    )
  }
})

/** Short writes are real: a full disk takes a part and says so only at the next call. */
const append = (fd: number, path: string, bytes: Uint8Array, from: number): Effect.Effect<void, DiskError> =>
  call<number>("append", path, (done) => fs.write(fd, bytes, from, bytes.length - from, null, done)).pipe(
    Effect.flatMap((written) => (from + written >= bytes.length ? Effect.void : append(fd, path, bytes, from + written)))
  )

/** A call that has begun cannot be taken back, so nobody may go on as if it had been. */
const call = <A = void>(operation: string, path: string, run: (done: (error: Error | null, value?: A) => void) => void) =>
  Effect.uninterruptible(
    Effect.callback<A, DiskError>((resume) => {
      run((error, value) => resume(error === null ? Effect.succeed(value as A) : Effect.fail(refusal(operation, path, error))))
    })
  )

const refusal = (operation: string, path: string, error: NodeJS.ErrnoException): DiskError =>
  new DiskError({ operation, path, code: errorCode(error) ?? error.name, cause: error })

const descriptor = (path: string, flags: number) => call<number>("open", path, (done) => fs.open(path, flags, 0o600, done))
const close = (fd: number, path: string) => Effect.ignore(call("close", path, (done) => fs.close(fd, done)))

const missing = (error: DiskError): boolean => error.code === "ENOENT"

export const diskNode: Disk["Service"] = {
  open,
  read: (path) => call<Buffer>("read", path, (done) => fs.readFile(path, { flag: O_RDONLY | O_NOFOLLOW }, done)),
  write: (path, bytes) =>
    Effect.acquireUseRelease(
      descriptor(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW),
      (fd) => append(fd, path, bytes, 0),
      (fd) => close(fd, path)
    ),
  rename: (from, to) => call("rename", to, (done) => fs.rename(from, to, done)),
  removeTree: (folder) => call("removeTree", folder, (done) => fs.rm(folder, { recursive: true, force: true }, done)),
  remove: (path) => call("remove", path, (done) => fs.unlink(path, done)),
  list: (folder) =>
    call<Array<string>>("list", folder, (done) => fs.readdir(folder, done)).pipe(
      Effect.map((names) => names.sort()),
      Effect.catchIf(missing, () => Effect.succeed([]))
    ),
  makeDir: (folder) => Effect.asVoid(call<unknown>("makeDir", folder, (done) => fs.mkdir(folder, { recursive: true, mode: 0o700 }, done))),
  syncDir: (folder) =>
    Effect.acquireUseRelease(
      descriptor(folder, O_RDONLY),
      (fd) => call("syncDir", folder, (done) => fs.fsync(fd, done)),
      (fd) => close(fd, folder)
    ),
  touch: (path, modifiedAtMs) => call("touch", path, (done) => fs.utimes(path, modifiedAtMs / 1000, modifiedAtMs / 1000, done)),
  stat: (path) =>
    call<fs.Stats>("stat", path, (done) => fs.lstat(path, done)).pipe(
      Effect.map((stats) => ({
        bytes: stats.size,
        modifiedAtMs: Math.round(stats.mtimeMs),
        inode: stats.ino,
        device: stats.dev,
        link: stats.isSymbolicLink()
      })),
      Effect.catchIf(missing, () => Effect.succeed(undefined))
    )
}
