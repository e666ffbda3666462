/** Every command there is. A file is loaded only when its command is asked for, so that `status` does not pay for the runtime. */
import type { AnyCommand } from "./command.ts"

export interface Listed {
  /** As it is typed, groups with a space: `skills check`. */
  readonly name: string
  /** Half a sentence for the list. */
  readonly summary: string
  readonly load: () => Promise<{ readonly command: AnyCommand }>
}

export const commands: ReadonlyArray<Listed> = [
  { name: "up", summary: "run the skills; --demo to try it with a gateway of its own", load: () => import("./up.ts") },
  { name: "status", summary: "what the runtime is doing and what that promises, also while it is down", load: () => import("./status.ts") },
  { name: "runs", summary: "the latest runs and what they came to", load: () => import("./runs.ts") },
  { name: "runs release", summary: "let a parked run be tried again", load: () => import("./runsRelease.ts") },
  { name: "runs cancel", summary: "end a run, or give a parked one up", load: () => import("./runsCancel.ts") },
  { name: "outbox", summary: "the reports that wait or are parked, and why", load: () => import("./outbox.ts") },
  { name: "outbox redrive", summary: "have parked reports sent again", load: () => import("./outboxRedrive.ts") },
  { name: "outbox drop", summary: "give a parked report up", load: () => import("./outboxDrop.ts") },
  { name: "plan", summary: "the slots to come, and what an outage would do to them", load: () => import("./plan.ts") },
  { name: "why", summary: "what became of a slot, and why", load: () => import("./why.ts") },
  { name: "trigger", summary: "run a skill now", load: () => import("./trigger.ts") },
  { name: "backfill", summary: "run slots of the past that got no run", load: () => import("./backfill.ts") },
  { name: "pause", summary: "keep a skill's slots from becoming runs until it is resumed", load: () => import("./pause.ts") },
  { name: "resume", summary: "end a pause", load: () => import("./resume.ts") },
  { name: "step", summary: "in a skill's script: make a command a step, done once", load: () => import("./step.ts") },
  { name: "release", summary: "open a runtime that is held", load: () => import("./release.ts") },
  { name: "reload", summary: "take over what has changed in the skills folders", load: () => import("./reload.ts") },
  { name: "skills check", summary: "read skill files and say what is wrong with them", load: () => import("./skillsCheck.ts") },
  {
    name: "skills approve",
    summary: "say that you have looked at a skill's files, where approval is required",
    load: () => import("./skillsApprove.ts")
  },
  { name: "skills release", summary: "let a skill that was put aside work again", load: () => import("./skillsRelease.ts") },
  { name: "state verify", summary: "read all of a state directory and say whether it is whole", load: () => import("./stateVerify.ts") },
  { name: "state repair", summary: "make a damaged directory one that starts, at a stated loss", load: () => import("./stateRepair.ts") },
  { name: "state backup", summary: "copy a state directory, at any time", load: () => import("./stateBackup.ts") },
  { name: "state export", summary: "every event of the journal as JSON lines", load: () => import("./stateExport.ts") },
  { name: "doctor", summary: "what is wrong with an installation, and what to do about it", load: () => import("./doctor.ts") },
  { name: "import openclaw", summary: "a gateway's jobs as skills, and back", load: () => import("./importOpenclaw.ts") },
  { name: "import crontab", summary: "a crontab's lines as skills", load: () => import("./importCrontab.ts") },
  { name: "import hermes", summary: "the cron jobs of Hermes Agent as skills", load: () => import("./importHermes.ts") },
  { name: "gateway", summary: "the embedded gateway alone, to try things on", load: () => import("./gateway.ts") },
  { name: "drill", summary: "break a gateway on purpose and watch the skills go on", load: () => import("./drill.ts") }
]
