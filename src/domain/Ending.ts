/**
 * How an attempt ends that comes to nothing: one table, the same in the journal, the status, the log and `docs/endings.md`. A run's
 * reason begins with the code of its last attempt.
 */

/** What an ending means, whether the run is tried again after it, and what a person should do. */
export interface EndingMeaning {
  readonly means: string
  /** In words where it depends on more than the code. */
  readonly retried: "yes" | "no" | (string & {})
  readonly fix: string
}

/** What kind of failure an ending is: who can do something about it. */
export const failureClasses = {
  retryable: "trying again may help",
  terminal: "trying again cannot help",
  config: "a setting, a program or a file of the skill has to be mended",
  link: "the session or the gateway was away when the work needed it: no fault of the skill, and not counted against it"
} as const
export type FailureClass = keyof typeof failureClasses

export const endings = {
  RUN_EXIT: {
    means: "it left with another code than 0; a module that leaves with 0 before it is done as well",
    retried: "yes, but for 64 and 78",
    fix: "read the last line of stderr in the reason, and `stderr.log` in the run's folder"
  },
  RUN_SIGNAL: {
    means: "a signal ended it that we did not send",
    retried: "yes",
    fix: "SIGSEGV, SIGABRT and their like are crashes of the program (SIGABRT: Node's own heap was full); ask who sent the others"
  },
  RUN_OOM: {
    means: "the kernel ended it, as the memory of its control group or of the machine was exhausted",
    retried: "yes",
    fix: "give the machine or the service more memory, run less at once, or set `memory`, so that the one at fault is the one that ends"
  },
  RUN_TIMEOUT: {
    means: "it took longer than `timeout`",
    retried: "yes",
    fix: "look in `stdout.log` for where it hangs; give it more time if it needs it"
  },
  RUN_SILENT: {
    means: "it printed nothing and came to no step for as long as `silence` says",
    retried: "yes",
    fix: "look for where it hangs; let it print as it goes (a program may keep back what it prints into a file), or raise `silence`"
  },
  RUN_MEMORY: {
    means: "its processes together held more memory than `memory`, at two looks in a row",
    retried: "yes",
    fix: "mend the leak, do less at once, or raise `memory`"
  },
  RUN_RESULT: {
    means: "it ended well, and its answer cannot be read: empty, not JSON, not flat, too large, a link, or no regular file",
    retried: "no",
    fix: "write one flat JSON object to `HOLDFAST_RESULT`, whole before the program ends"
  },
  RUN_DIRECTORY_GONE: {
    means: "it ended well, and the run's folder is gone, with the answer that may have been in it",
    retried: "no",
    fix: "let it remove only what it made; `TMPDIR` is removed for it"
  },
  RUN_LEFT_CHILDREN: {
    means: "processes of it outlived KILL",
    retried: "no",
    fix: "look at the pids in the reason (a disk or a network file system that hangs?); while they live, a new start puts the skill aside"
  },
  RUN_THREW: {
    means: "its code threw, or waits for what nothing is left to settle",
    retried: "yes, unless what was thrown has `retryable: false`",
    fix: "read the stack in `stderr.log` in the run's folder"
  },
  MODULE_SYNTAX: { means: "the module does not parse", retried: "no", fix: "correct the line that the reason names" },
  MODULE_IMPORT_FAILED: {
    means: "the module cannot be imported: something it imports is not there, or it threw meanwhile",
    retried: "no",
    fix: "install or correct what the reason names"
  },
  MODULE_SHAPE: { means: "there is no function to call", retried: "no", fix: "export default async (ctx) => ..." },
  STEP_INVALID: {
    means: "a step was refused: its name, its use, or its result",
    retried: "no",
    fix: "correct what the code in the reason says (`STEP_DUPLICATE`, `STEP_RESULT_TOO_LARGE`, ...)"
  },
  RUN_UNKNOWN_END: {
    means: "it outlived the runtime that had begun it, was taken over, and left no answer from which its end could be known",
    retried: "yes",
    fix: "a skill with `onRuntimeDeath: adopt` writes its result file last, even if that is `{}`"
  },
  PROMPT_BUDGET: {
    means: "as many prompts as `perDay` permits were begun within 24 hours",
    retried: "no",
    fix: "wait until the instant that the reason names, or raise `perDay`"
  },
  SKILL_CHANGED: {
    means: "a file of the skill is not as it was approved",
    retried: "no",
    fix: "look at the file, then `holdfast skills approve` the skill and start again"
  },
  RUN_SPAWN_ENOENT: {
    means: "the program is not there, or not on the PATH",
    retried: "no",
    fix: "correct `run`, or put the program on the PATH that Holdfast was started with"
  },
  RUN_SPAWN_EACCES: { means: "the file may not be executed", retried: "no", fix: "chmod +x it, or name its interpreter in `run`" },
  RUN_SPAWN_ENOEXEC: {
    means: "the file is a text without a first line of `#!`, or a program for another machine",
    retried: "no",
    fix: 'name its interpreter in the first line, or in `run` (`["sh", "./script"]`)'
  },
  RUN_SPAWN_INTERPRETER: {
    means: "the first line of the script names a program that is not there",
    retried: "no",
    fix: "install it, or correct the first line"
  },
  RUN_SPAWN_E2BIG: { means: "arguments and environment are too long", retried: "no", fix: "pass large values in files" },
  RUN_SPAWN_CWD: { means: "the skill's folder is not there", retried: "no", fix: "put it back, or remove the skill" },
  RUN_SPAWN_DIRECTORY: {
    means: "the run's folder cannot be made or written to",
    retried: "yes",
    fix: "make room, or repair the state directory"
  },
  RUN_SPAWN_EAGAIN: {
    means: "there is no room for one more process",
    retried: "yes",
    fix: "raise the limit on processes, or run less at once"
  },
  RUN_SPAWN_ENOMEM: { means: "there is no memory for one more process", retried: "yes", fix: "run less at once" },
  RUN_SPAWN_EMFILE: { means: "our limit on open files is reached", retried: "yes", fix: "raise the limit on open files" },
  RUN_SPAWN_ENFILE: { means: "the machine's limit on open files is reached", retried: "yes", fix: "raise the limit on open files" },
  RUN_SPAWN_ETXTBSY: {
    means: "the program is being written to",
    retried: "yes",
    fix: "replace programs by renaming, not by writing into them"
  },
  RUN_SPAWN: {
    means: "the system refused the start in another way; the reason has its name",
    retried: "no",
    fix: "start it by hand in the skill's folder to see why"
  }
} as const satisfies Readonly<Record<string, EndingMeaning>>

export type Ending = keyof typeof endings

/** The class of an ending of which nothing more is known. */
export const classOf = (code: Ending, retryable: boolean): FailureClass =>
  retryable ? "retryable" : configurable.test(code) ? "config" : "terminal"
const configurable = /^(?:RUN_SPAWN|MODULE|SKILL)_/

/** The ending that a code names; nothing where it names none. */
export const endingOf = (code: string): Ending | undefined => (Object.hasOwn(endings, code) ? (code as Ending) : undefined)
