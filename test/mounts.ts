/** Whether file systems can be mounted here: only where a trial succeeds is one asked for. */
import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Runs a program that has to succeed. */
export const done = (program: string, ...args: ReadonlyArray<string>): void => {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`)
}

/** An image of ext4 at `<at>.img`, mounted at `at`; an error makes it read-only. */
export const mountImage = (at: string): void => {
  done("truncate", "-s", "32M", `${at}.img`)
  done("mkfs.ext4", "-q", "-F", `${at}.img`)
  done("mount", "-o", "loop,errors=remount-ro", `${at}.img`, at)
}

/** An image of btrfs at `<at>.img`, mounted at `at`; gives a folder in it that may hold so much, whoever writes it. */
export const mountQuota = (at: string, most: string): string => {
  done("truncate", "-s", "128M", `${at}.img`)
  done("mkfs.btrfs", "-q", "-f", `${at}.img`)
  done("mount", "-o", "loop", `${at}.img`, at)
  const folder = join(at, "limited")
  done("btrfs", "quota", "enable", at)
  done("btrfs", "subvolume", "create", folder)
  done("btrfs", "qgroup", "limit", most, folder)
  return folder
}

/** Why no file system in memory can be mounted here; nothing where one can. */
export const noMounts = (): string | undefined => trial((at) => done("mount", "-t", "tmpfs", "tmpfs", at))

/** Why no image can be mounted here; nothing where one can. */
export const noImages = (): string | undefined => trial(mountImage)

/** Why no program can be mounted as a file system here, beyond what `noMounts` says; nothing where one can. */
export const noFuse = (): string | undefined => {
  try {
    closeSync(openSync("/dev/fuse", "r+"))
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** Why no folder can be given a quota here; nothing where one can. */
export const noQuotas = (): string | undefined => trial((at) => mountQuota(at, "1M"))

const trial = (mount: (at: string) => unknown): string | undefined => {
  if (process.platform !== "linux") return "only Linux is asked to mount"
  if (process.getuid?.() !== 0) return "this user is not root"
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mount-"))
  const at = mkdtempSync(join(folder, "at-"))
  try {
    mount(at)
    done("umount", at)
    return undefined
  } catch (error) {
    return String(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
