/**
 * An empty file system that is a program: `node test/fuse.ts FOLDER` mounts itself there, says `mounted`, and says `asked to
 * write` whenever it is. It speaks the kernel's own protocol, since no tool for that can be counted on; it ends by a signal.
 */
import { spawn } from "node:child_process"
import { openSync, read, writeSync } from "node:fs"

const [, , folder = ""] = process.argv
const device = openSync("/dev/fuse", "r+")
const options = "fd=3,rootmode=40000,user_id=0,group_id=0"
const mounting = spawn("mount", ["-i", "-t", "fuse.holdfast", "-o", options, "holdfast", folder], {
  stdio: ["ignore", "pipe", "pipe", device]
})
mounting.stderr?.pipe(process.stdout)
mounting.once("exit", (code) => (code === 0 ? console.log("mounted") : process.exit(1)))

/** Operations by their numbers in `linux/fuse.h`. */
const [lookup, getattr, init, opendir, readdir, releasedir] = [1, 3, 26, 27, 28, 29] as const
/** Those that nobody answers: forget, interrupt, batch forget. */
const unanswered = new Set([2, 36, 42])
/** Those that change something: setattr, symlink, mknod, mkdir, unlink, rmdir, rename, link, write, setxattr, create, rename2. */
const writing = new Set([4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 35, 45])
const [ENOENT, EROFS, ENOSYS] = [2, 30, 38] as const

const answer = (operation: number): Buffer | number => {
  if (writing.has(operation)) {
    console.log("asked to write")
    return EROFS
  }
  switch (operation) {
    case init: {
      const told = Buffer.alloc(64)
      told.writeUInt32LE(7, 0) // The protocol is 7.31.
      told.writeUInt32LE(31, 4)
      told.writeUInt32LE(4096, 20) // The longest write.
      return told
    }
    case getattr: {
      const root = Buffer.alloc(104) // How long it is valid, then a `fuse_attr`.
      root.writeBigUInt64LE(1n, 16)
      root.writeUInt32LE(0o40700, 76)
      root.writeUInt32LE(2, 80)
      return root
    }
    case lookup:
      return ENOENT
    case opendir:
      return Buffer.alloc(16)
    case readdir:
    case releasedir:
      return Buffer.alloc(0)
    default:
      return ENOSYS
  }
}

const request = Buffer.alloc(135_168) // The kernel refuses a smaller one.
const serve = (): void =>
  read(device, request, 0, request.length, null, (error, length) => {
    if (error !== null || length === 0) process.exit(0) // It was unmounted.
    const operation = request.readUInt32LE(4)
    if (!unanswered.has(operation)) {
      const answered = answer(operation)
      const body = typeof answered === "number" ? Buffer.alloc(0) : answered
      const head = Buffer.alloc(16)
      head.writeUInt32LE(head.length + body.length, 0)
      head.writeInt32LE(typeof answered === "number" ? -answered : 0, 4)
      request.copy(head, 8, 8, 16) // The number of the request.
      writeSync(device, Buffer.concat([head, body]))
    }
    serve()
  })
serve()
