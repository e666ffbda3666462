import { assert, describe, it } from "vitest"
import { type Mount, mountOf, parseMountInfo, parseMounts, type Place, placeRefusal } from "../../src/domain/Place.ts"

const place = (change: Partial<Place> = {}): Place => ({
  path: "/home/ann/.local/state/holdfast",
  realPath: "/home/ann/.local/state/holdfast",
  linked: false,
  links: [],
  access: { uid: 1000, mode: 0o40700 },
  parentMode: 0o40755,
  mount: { at: "/", type: "ext4" },
  markers: [],
  ...change
})
const on = (type: string): Partial<Place> => ({ mount: { at: "/mnt", type } })
const at = (path: string): Partial<Place> => ({ path, realPath: path })
const code = (change: Partial<Place>, home: string | undefined) => placeRefusal(place(change), { uid: 1000, home })?.code

type Good = readonly [name: string, change: Partial<Place>, home?: string]
type Bad = readonly [name: string, code: string, got: RegExp, change: Partial<Place>, home?: string]

describe("a state directory", () => {
  const good: ReadonlyArray<Good> = [
    ["on a disk of this machine", {}],
    ...["ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "apfs", "hfs", "bcachefs"].map(
      (type) => [`on ${type}`, on(type)] as const
    ),
    ["where the mounts cannot be told", { mount: undefined }],
    ["that is not there yet", { access: undefined }],
    ["that others may read", { access: { uid: 1000, mode: 0o40755 } }],
    ["in a folder like /tmp, which is everybody's and sticky", { parentMode: 0o41777 }],
    ["in a folder of the group", { parentMode: 0o40775 }],
    ["named after a service, elsewhere", at("/srv/Dropbox/holdfast")],
    ["beside a service's folder", at("/home/ann/Dropboxes/holdfast")],
    ["in the library of a Mac", at("/Users/ann/Library/Application Support/holdfast"), "/Users/ann"]
  ]
  it.each(good.map(([name, change, home = "/home/ann"]) => ({ name, change, home })))("$name is in a good place", ({ change, home }) => {
    assert.isUndefined(code(change, home))
  })

  const bad: ReadonlyArray<Bad> = [
    ...["nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "ceph", "9p", "virtiofs", "vboxsf", "davfs", "gfs2", "drvfs"].map(
      (type) => [`on ${type}`, "STATE_DIR_NETWORK", new RegExp(`^${type}, mounted at /mnt$`), on(type)] as const
    ),
    ...["fuse", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuseblk", "macfuse"].map(
      (type) => [`on ${type}`, "STATE_DIR_FUSE", new RegExp(`^${type}, mounted at`), on(type)] as const
    ),
    ["in iCloud Drive", "STATE_DIR_SYNCED", /iCloud Drive/, at("/Users/ann/Library/Mobile Documents/com~apple~CloudDocs/h"), "/Users/ann"],
    ["in a Mac's cloud storage", "STATE_DIR_SYNCED", /Dropbox/, at("/Users/ann/Library/CloudStorage/Dropbox-Home/h"), "/Users/ann"],
    ["in ~/Dropbox", "STATE_DIR_SYNCED", /Dropbox/, at("/home/ann/Dropbox/state/h")],
    ["in ~/OneDrive - Work", "STATE_DIR_SYNCED", /OneDrive/, at("/home/ann/OneDrive - Work/h")],
    ["in ~/Google Drive", "STATE_DIR_SYNCED", /Google Drive/, at("/home/ann/Google Drive/h")],
    ["below a marker", "STATE_DIR_SYNCED", /Syncthing.*\/data\/\.stfolder/, { ...at("/data/a/b"), markers: ["/data/.stfolder"] }],
    ["that is a link", "STATE_DIR_SYMLINK", /a link to \/data\/h/, { linked: true, realPath: "/data/h" }],
    ["whose journal is a link", "STATE_DIR_SYMLINK", /a link/, { links: ["journal"] }],
    ["of another user", "STATE_DIR_OWNER", /user 0/, { access: { uid: 0, mode: 0o40700 } }],
    ["that its group may write", "STATE_DIR_PERMISSIONS", /mode 0770/, { access: { uid: 1000, mode: 0o40770 } }],
    ["that all may write", "STATE_DIR_PERMISSIONS", /mode 0702/, { access: { uid: 1000, mode: 0o40702 } }],
    ["in a folder in which all may rename it", "STATE_DIR_PERMISSIONS", /mode 0777/, { parentMode: 0o40777 }]
  ]
  it.each(bad.map(([name, code, got, change, home = "/home/ann"]) => ({ name, code, got, change, home })))(
    "$name is refused: $code",
    (one) => {
      const { code, got, change, home } = one
      const refusal = placeRefusal(place(change), { uid: 1000, home })!
      assert.strictEqual(refusal.code, code)
      assert.match(refusal.got, got)
      for (const answer of [refusal.where, refusal.want, refusal.fix]) assert.isNotEmpty(answer)
    }
  )
})

it("a state directory of a user without a home is in nobody's home", () => {
  assert.isUndefined(code(at("/Dropbox/state"), undefined))
  assert.strictEqual(code({ ...at("/Dropbox/state"), markers: ["/Dropbox/.dropbox"] }, undefined), "STATE_DIR_SYNCED")
  assert.strictEqual(code(at("/Dropbox/state"), "/"), "STATE_DIR_SYNCED")
})

describe("a mount", () => {
  it("is read from the kernel's list, spaces and optional fields included", () => {
    const text = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
28 22 0:24 / /sys rw,nosuid - sysfs sysfs rw
41 22 0:36 / /home/ann/my\040share rw,relatime shared:20 master:3 - nfs4 nas:/x rw,vers=4.2
57 22 0:50 / /mnt/c rw - 9p drvfs rw,aname=drvfs
no line of ours`
    assert.deepStrictEqual(parseMountInfo(text), [
      { at: "/", type: "ext4" },
      { at: "/sys", type: "sysfs" },
      { at: "/home/ann/my share", type: "nfs4" },
      { at: "/mnt/c", type: "9p" }
    ])
  })

  it("is read from what macOS prints", () => {
    const text =
      "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n//ann@nas/share on /Volumes/my share (smbfs, nodev, nosuid)\nmap auto_home on /System/Volumes/Data/home (autofs, automounted)\n"
    assert.deepStrictEqual(parseMounts(text), [
      { at: "/", type: "apfs" },
      { at: "/Volumes/my share", type: "smbfs" },
      { at: "/System/Volumes/Data/home", type: "autofs" }
    ])
  })

  it("of a path is the nearest one above it, and of two on one place the later", () => {
    const mounts: ReadonlyArray<Mount> = [
      { at: "/", type: "ext4" },
      { at: "/home", type: "nfs" },
      { at: "/home/ann", type: "xfs" },
      { at: "/home/ann", type: "fuse.sshfs" },
      { at: "/home/an", type: "9p" }
    ]
    const type = (path: string) => mountOf(path, mounts)?.type
    assert.deepStrictEqual(["/var/x", "/home", "/home/bob", "/home/ann", "/home/ann/state", "/home/anna"].map(type), [
      "ext4",
      "nfs",
      "nfs",
      "fuse.sshfs",
      "fuse.sshfs",
      "nfs"
    ])
    assert.isUndefined(mountOf("/x", []))
  })
})
