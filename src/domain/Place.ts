/** Whether a state directory may be where it is: on a disk of this machine, ours alone, and in nobody's synchronised folder. */
import { basename, dirname, join, relative } from "node:path/posix"
import { shown, StateUnusable } from "./Errors.ts"

/** What is known of a directory, or of the one that it will be made in. */
export interface Place {
  /** As it was given, absolute. */
  readonly path: string
  /** The same without links. */
  readonly realPath: string
  /** The name itself is a link; what it leads to is `realPath`. */
  readonly linked: boolean
  /** Names of ours in it that are links. */
  readonly links: ReadonlyArray<string>
  /** Owner and permission bits; nothing where it is not there yet. */
  readonly access: { readonly uid: number; readonly mode: number } | undefined
  /** Those of the folder that it is in. */
  readonly parentMode: number
  /** Where its file system begins, and its type; nothing where that cannot be told. */
  readonly mount: Mount | undefined
  /** Files that programs which synchronise leave in a folder, found in this one or above it. */
  readonly markers: ReadonlyArray<string>
}

export interface Mount {
  readonly at: string
  readonly type: string
}

/** Who asks. */
export interface Resident {
  readonly uid: number
  /** Without links; nothing where this user has none. */
  readonly home: string | undefined
}

/** Names of files that say that their folder is kept the same on several machines, and by whom. */
export const markers: ReadonlyMap<string, string> = new Map([
  [".dropbox", "Dropbox"],
  [".dropbox.cache", "Dropbox"],
  [".stfolder", "Syncthing"],
  [".sync_journal.db", "Nextcloud"],
  [".owncloudsync.log", "ownCloud"],
  [".tmp.drivedownload", "Google Drive"]
])

/** Names of ours that must not lead elsewhere. */
export const unlinked: ReadonlyArray<string> = ["journal", "lock", "damaged", "backup"]

/** Why this is no place for a state directory; nothing where it is one. */
export const placeRefusal = (place: Place, { uid, home }: Resident): StateUnusable | undefined => {
  const { path, realPath, linked, links, access, parentMode, mount } = place
  if (linked) return refused("STATE_DIR_SYMLINK", path, `a link to ${realPath}`, "the directory itself", `name ${realPath}`)
  if (links[0] !== undefined) {
    return refused("STATE_DIR_SYMLINK", join(path, links[0]), "a link", "a folder of ours", "move the folder back to its place")
  }
  const { type = "", at = "" } = mount ?? {}
  if (network.has(type)) {
    return refused(
      "STATE_DIR_NETWORK",
      path,
      `${type}, mounted at ${at}`,
      local,
      "choose a --state on a disk of this machine: others can write there beside us"
    )
  }
  if (/^(fuse|fuseblk|macfuse|osxfuse)(\.|$)/.test(type)) {
    return refused(
      "STATE_DIR_FUSE",
      path,
      `${type}, mounted at ${at}`,
      local,
      "choose a --state on a disk of this machine: what a program promises for a disk cannot be relied on"
    )
  }
  const synced = synchronisedBy(place, home)
  if (synced !== undefined) {
    return refused(
      "STATE_DIR_SYNCED",
      path,
      synced,
      local,
      "choose a --state outside of it: it would be written to by two machines, and copied half written"
    )
  }
  if (access !== undefined && access.uid !== uid) {
    return refused(
      "STATE_DIR_OWNER",
      path,
      `a directory of user ${access.uid}`,
      `one of user ${uid}`,
      `chown it to this user, or run as that one`
    )
  }
  if (access !== undefined && (access.mode & 0o022) !== 0) {
    return refused("STATE_DIR_PERMISSIONS", path, octal(access.mode), "no right to write for others", `chmod 700 ${path}`)
  }
  if ((parentMode & 0o1002) === 0o002) {
    return refused(
      "STATE_DIR_PERMISSIONS",
      dirname(realPath),
      octal(parentMode),
      "a folder in which others cannot rename ours",
      "chmod o-w it, or choose another --state"
    )
  }
  return undefined
}

/** Each mount of `/proc/self/mountinfo`, in order: field 5 is the place, the type follows a lone dash. */
export const parseMountInfo = (text: string): ReadonlyArray<Mount> =>
  text.split("\n").flatMap((line) => {
    const [, at, type] = /^\d+ \d+ \S+ \S+ (\S+) .* - (\S+) /.exec(line) ?? []
    return at === undefined || type === undefined ? [] : [{ at: unescaped(at), type }]
  })

/** Each mount as macOS prints them: `/dev/disk3s1 on / (apfs, local, ...)`. */
export const parseMounts = (text: string): ReadonlyArray<Mount> =>
  text.split("\n").flatMap((line) => {
    const [, at, type] = /^.* on (\/.*) \((\w+)[,)]/.exec(line) ?? []
    return at === undefined || type === undefined ? [] : [{ at, type }]
  })

/** The mount that a path is in: the one nearest to it, of several on one place the last. */
export const mountOf = (path: string, mounts: ReadonlyArray<Mount>): Mount | undefined => {
  let nearest: Mount | undefined
  for (const mount of mounts) if (within(path, mount.at) && mount.at.length >= (nearest?.at.length ?? 0)) nearest = mount
  return nearest
}

const local = "a folder on a disk of this machine"

/** File systems whose disk is another machine's as well; for 9p, virtiofs and those of virtual machines that is the host. */
const network: ReadonlySet<string> = new Set(
  [
    "nfs nfs4 cifs smb3 smbfs smb2 ncpfs afs afpfs coda webdav davfs",
    "ceph lustre beegfs orangefs pvfs2 gpfs panfs gfs2 ocfs2",
    "9p virtiofs vboxsf vmhgfs prl_fs fakeowner drvfs"
  ].flatMap((types) => types.split(" "))
)

const synchronisedBy = ({ realPath, markers: found }: Place, home: string | undefined): string | undefined => {
  const [first = "", second = "", third = ""] = home === undefined || !within(realPath, home) ? [] : relative(home, realPath).split("/")
  if (first === "Library" && second === "Mobile Documents") return "a folder that iCloud Drive synchronises"
  if (first === "Library" && second === "CloudStorage") return `a folder that ${shown(third.split("-")[0])} synchronises`
  const named = /^(Dropbox|OneDrive|Google ?Drive|iCloud ?Drive|pCloud ?Drive|Nextcloud|ownCloud|MEGA)\b/.exec(first)?.[1]
  if (named !== undefined) return `a folder that ${named} synchronises`
  const marker = found[0]
  return marker === undefined ? undefined : `a folder that ${markers.get(basename(marker))} synchronises: ${marker} is there`
}

const within = (path: string, folder: string): boolean => folder === "/" || path === folder || path.startsWith(`${folder}/`)

/** Spaces, tabs, line feeds and backslashes are octal there. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

const octal = (mode: number): string => `mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`

const refused = (code: string, where: string, got: string, want: string, fix: string): StateUnusable =>
  new StateUnusable({ code, where, got: shown(got), want, fix })
