/** What the system's word for a refusal means to whoever has to mend it. */

/** Why storage is blocked, in words, with the system's own behind them. */
export const inWords = (code: string): string => `${words[code] ?? "refusing"} (${code})`

const words: Readonly<Record<string, string>> = {
  ENOSPC: "full, or out of inodes",
  EDQUOT: "over its quota",
  EROFS: "read-only",
  EACCES: "closed to this user",
  EPERM: "closed to this user",
  ENOENT: "away: the directory is not there",
  EMFILE: "out of file descriptors",
  ENFILE: "out of file descriptors"
}
