/** Skills that mean harm, or might as well: what each does, and the ending that it has to come to. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { controlGroup, type ControlGroup, limitFile, noControlGroup } from "../cgroups.ts"

export interface Hostile {
  readonly name: string
  /** A shell's text, or a module's; run in the skill's folder. */
  readonly script?: string
  readonly module?: string
  readonly settings?: Readonly<Record<string, string>>
  readonly outcome: "success" | "failed"
  /** The whole of the reason that its run is settled with. */
  readonly reason: RegExp
  /** Why it is not tried here. */
  readonly skipped?: string | undefined
  /** Whether it did its worst: one that did not proves nothing. */
  readonly worst?: () => boolean
  /** Undoes what only the test can undo, once the run has ended. */
  readonly afterwards?: () => void
}

const soon = { timeout: "3 seconds", grace: "500 milliseconds" }
const timedOut = /^RUN_TIMEOUT: not done after 3 s$/
/** Prints so many bytes without an end of line. */
const print = (bytes: number) => `head -c ${bytes} /dev/zero | tr '\\0' x`

/** All of them. Groups are made for some; `remove` takes them away again when nothing is in them. */
export const hostiles = (): { readonly all: ReadonlyArray<Hostile>; readonly remove: () => void } => {
  const groups: Array<ControlGroup> = []
  const grouped = (controller: "pids" | "freezer", without: string | undefined) => {
    if (without !== undefined) return undefined
    const group = controlGroup(controller)
    groups.push(group)
    if (controller === "pids") writeFileSync(limitFile(group, "pids"), "100")
    return group
  }
  const [noPids, noFreezer] = [noControlGroup("pids"), noControlGroup("freezer")]
  const [bombs, sessions] = [grouped("pids", noPids), grouped("pids", noPids)]
  const frozen = grouped("freezer", noFreezer)
  const unkillable = noFreezer ?? (frozen?.version === 1 ? undefined : "KILL reaches what is frozen by version 2")
  const refused = new Map<ControlGroup, number>()
  /** Whether a task was refused in the group since this was asked last. */
  const full = (group: ControlGroup | undefined) => {
    const now = Number(/^max (\d+)/m.exec(readFileSync(join(group!.folder, "pids.events"), "utf8"))![1])
    const before = refused.get(group!) ?? 0
    refused.set(group!, now)
    return now > before
  }
  const enter = (group: ControlGroup | undefined) => `echo $$ > ${group?.folder}/cgroup.procs`

  const all: ReadonlyArray<Hostile> = [
    {
      name: "ignores-term",
      script: "trap '' TERM INT HUP QUIT; while :; do sleep 1; done",
      settings: soon,
      outcome: "failed",
      reason: timedOut
    },
    {
      name: "stops-itself",
      script: "kill -STOP $$",
      settings: soon,
      outcome: "failed",
      reason: timedOut
    },
    {
      name: "double-forks",
      script: `(setsid sh -c "trap '' TERM HUP; while :; do sleep 1; done" > /dev/null 2>&1 &) ; exit 0`,
      outcome: "success",
      reason: /^$/
    },
    {
      name: "new-sessions",
      script: `for n in 1 2 3; do setsid sh -c "trap '' TERM; setsid sleep 600 & setsid -f sleep 600; wait" & done; wait`,
      settings: soon,
      outcome: "failed",
      reason: timedOut
    },
    { name: "prints-a-gigabyte", script: "yes | head -c 1000000000", outcome: "success", reason: /^$/ },
    {
      name: "prints-one-line",
      script: `${print(100_000_000)} >&2; exit 1`,
      outcome: "failed",
      reason: /^RUN_EXIT: exit 1: x{100,117}\.\.\.$/
    },
    {
      name: "prints-what-is-no-text",
      script: `printf '\\0\\033[2J\\377\\376</script>\\r' >&2; exit 1`,
      outcome: "failed",
      reason: /^RUN_EXIT: exit 1: \\u0000\\u001b\[2J\ufffd\ufffd<\/script>$/
    },
    {
      name: "forks-without-end",
      script: `${enter(bombs)}; bomb() { bomb | bomb & }; bomb 2> /dev/null; sleep 600`,
      settings: soon,
      outcome: "failed",
      reason: timedOut,
      skipped: noPids,
      worst: () => full(bombs)
    },
    {
      name: "forks-into-sessions",
      script: `${enter(sessions)}; printf 'setsid sh "$0" & setsid sh "$0" & wait\\n' > bomb.sh; setsid sh bomb.sh 2> /dev/null; sleep 600`,
      settings: soon,
      outcome: "failed",
      reason: timedOut,
      skipped: noPids,
      worst: () => full(sessions)
    },
    {
      name: "outlives-kill",
      script: `sh -c '${enter(frozen)}; sleep 600' & sleep 0.5; echo FROZEN > ${frozen?.folder}/freezer.state`,
      outcome: "failed",
      reason: /^RUN_LEFT_CHILDREN: processes \d+(, \d+)* could not be stopped$/,
      skipped: unkillable,
      afterwards: () => writeFileSync(join(frozen!.folder, "freezer.state"), "THAWED")
    },
    {
      name: "takes-all-memory",
      script: `exec ${process.execPath} -e 'const all = []; setInterval(() => all.push(Buffer.alloc(20e6, 1)), 100)'`,
      settings: { memory: "200 MB", timeout: "1 minute" },
      outcome: "failed",
      reason: /^RUN_MEMORY: held \d+(\.\d)? MB, at most 200 MB are allowed$/
    },
    {
      name: "falls-silent",
      script: "echo begun; sleep 600",
      settings: { silence: "2 seconds" },
      outcome: "failed",
      reason: /^RUN_SILENT: printed nothing and came to no step for 2 seconds, nothing on stderr; see /
    },
    {
      name: "deletes-its-folder",
      script: `rm -rf "$HOLDFAST_RUN_DIRECTORY"; echo lost; exit 0`,
      outcome: "failed",
      reason: /^RUN_DIRECTORY_GONE: \/.* is gone, and what was in it$/
    },
    {
      name: "half-a-result",
      script: `printf '{"posts": 4, "acc' > "$HOLDFAST_RESULT"`,
      outcome: "failed",
      reason: /^RUN_RESULT: result\.json: not JSON/
    },
    {
      name: "a-fifo-as-result",
      script: `mkfifo "$HOLDFAST_RESULT"`,
      outcome: "failed",
      reason: /^RUN_RESULT: result\.json: not a regular file$/
    },
    {
      name: "a-link-as-result",
      script: `ln -s /dev/zero "$HOLDFAST_RESULT"`,
      outcome: "failed",
      reason: /^RUN_RESULT: result\.json: cannot be read \(a link\)$/
    },
    {
      name: "a-vast-result",
      script: `${print(100_000_000)} > "$HOLDFAST_RESULT"`,
      outcome: "failed",
      reason: /^RUN_RESULT: result\.json: got 100000000 bytes/
    },
    {
      name: "never-yields",
      module: "export default () => { for (;;) ; }",
      settings: soon,
      outcome: "failed",
      reason: timedOut
    },
    {
      name: "floods-its-host",
      module: 'import { writeSync } from "node:fs"\nexport default () => { for (;;) try { writeSync(3, "x".repeat(65536)) } catch {} }',
      settings: soon,
      outcome: "failed",
      reason: /^RUN_RESULT: the skill wrote to descriptor 3/
    }
  ]
  return {
    all,
    remove: () => {
      for (const group of groups) group.remove()
    }
  }
}
