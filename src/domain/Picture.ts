/** The whole picture, as `status.json` has it: what the runtime is doing, why, and how everything in it stands. */
import type { Problem } from "./Errors.ts"
import type { Entry, Ledger, RunRecord } from "./Ledger.ts"
import type { Oddities } from "./Oddities.ts"
import type { Outcome } from "./Outcome.ts"
import { iso } from "./Run.ts"

/** The format of this file. It grows by new keys; a change of meaning is a new number. */
export const pictureFormat = 1

export interface Picture {
  readonly format: number
  /** One word; what it promises is in `guarantee`. */
  readonly mode: string
  readonly means: string
  readonly guarantee: { readonly local: string; readonly session: string; readonly gateway: string; readonly results: string }
  /** Why the session or the gateway is down, storage is blocked, or starts do not last; nothing for what is well. */
  readonly reasons: { readonly session?: string; readonly gateway?: string; readonly storage?: string; readonly starts?: string }
  /** The circuit around calls of skills to the gateway, and its failures in a row. */
  readonly circuit?: { readonly state: "closed" | "open" | "halfOpen"; readonly failures: number }
  /** What the session is doing, what its peer has sent that came to nothing, and the last such frame; nothing without a gateway. */
  readonly session?: { readonly state: string; readonly counted: Partial<Oddities>; readonly misread?: Problem }
  /** What the gateway is doing: `slow` is up and late. */
  readonly gateway?: { readonly state: string }
  /** The state of every region of the runtime. */
  readonly regions: unknown
  readonly pid: number
  readonly epoch: number
  readonly version: string
  readonly startedAt: string
  /** When this was so. A runtime at work writes it anew at least every 30 s. */
  readonly updatedAt: string
  /** Since when the event loop stands still. The watch thread adds it to the last picture; the next one is without it again. */
  readonly stalled?: { readonly since: string }
  readonly skills: ReadonlyArray<SkillPicture>
  /** What a person has to mend: skill files that could not be used, a gateway that refuses us. */
  readonly problems: ReadonlyArray<Problem>
  /** Runs that wait for a person to release or cancel them, oldest first. */
  readonly parkedRuns: ReadonlyArray<{ readonly run: string; readonly skill: string; readonly reason: string }>
  readonly slots: Ledger["slots"]
  readonly outbox: { readonly waiting: number; readonly oldestAt?: string; readonly parked: number; readonly acknowledged: number }
}

export interface SkillPicture {
  readonly name: string
  readonly state: string
  readonly reason?: string
  readonly run?: string
  readonly next?: string
  readonly last?: {
    readonly run: string
    readonly outcome: Outcome
    readonly at: string
    readonly durationMs: number
    readonly reason: string
  }
  readonly lastSuccess?: string
  readonly failures: number
}

/** What the ledger knows of a skill, beside what its actor says of itself. */
export const skillPicture = (
  ledger: Ledger,
  now: {
    readonly name: string
    readonly state: string
    readonly reason: string | undefined
    readonly run: string | undefined
    readonly nextDueAtMs: number | undefined
  }
): SkillPicture => {
  const record = ledger.skills.get(now.name)
  const settled = record?.last?.settled
  return {
    name: now.name,
    state: now.state,
    ...(now.reason === undefined ? {} : { reason: now.reason }),
    ...(now.run === undefined ? {} : { run: now.run }),
    ...(now.nextDueAtMs === undefined ? {} : { next: iso(now.nextDueAtMs) }),
    ...(settled === undefined
      ? {}
      : {
          last: {
            run: settled.run,
            outcome: settled.outcome,
            at: iso(settled.atMs),
            durationMs: settled.durationMs,
            reason: settled.reason
          }
        }),
    ...(record?.lastSuccessAtMs === undefined ? {} : { lastSuccess: iso(record.lastSuccessAtMs) }),
    failures: record?.failures ?? 0
  }
}

export const parkedPicture = (ledger: Ledger): Picture["parkedRuns"] =>
  ledger.unsettled().flatMap(({ phase, run, skill, parked = "" }) => (phase === "parked" ? [{ run, skill, reason: parked }] : []))

/** How the outbox stands. */
export const outboxPicture = (ledger: Ledger): Picture["outbox"] => {
  const oldest = ledger.outbox.values().next().value
  return {
    waiting: ledger.outbox.size,
    ...(oldest === undefined ? {} : { oldestAt: iso(oldest.settledAtMs) }),
    parked: ledger.parked.size,
    acknowledged: ledger.acknowledged
  }
}

/** One report that is not in its session, as `outbox` shows it. */
export interface EntryPicture {
  readonly run: string
  readonly state: "waiting" | "parked"
  /** Since its run settled; not known of some that older versions parked. */
  readonly ageMs?: number
  readonly settledAt?: string
  readonly session?: string
  readonly via?: string
  /** Of a digest: whose reports it is in place of. */
  readonly runs?: ReadonlyArray<string>
  readonly sentAt?: string
  readonly parkedAt?: string
  readonly reason?: string
}

/** Those that wait, in the order in which they go, then the parked ones. */
export const entryPictures = (ledger: Ledger, nowMs: number): ReadonlyArray<EntryPicture> => [
  ...[...ledger.outbox.values()].map((entry): EntryPicture => ({ run: entry.run, state: "waiting", ...entryPicture(entry, nowMs) })),
  ...[...ledger.parked].map(([run, { reason, atMs }]): EntryPicture => {
    const entry = ledger.parkedEntry(run)
    return {
      run,
      state: "parked",
      ...(entry === undefined ? {} : entryPicture(entry, nowMs)),
      ...(atMs === undefined ? {} : { parkedAt: iso(atMs) }),
      reason
    }
  })
]

const entryPicture = ({ settledAtMs, session, via, runs, sent }: Entry, nowMs: number) => ({
  ageMs: Math.max(0, nowMs - settledAtMs),
  settledAt: iso(settledAtMs),
  session,
  ...(via && { via }),
  ...(runs && { runs }),
  ...(sent === undefined ? {} : { sentAt: iso(sent.atMs) })
})

/** One run as `runs` shows it. */
export const runPicture = (run: RunRecord) => ({
  run: run.run,
  skill: run.skill,
  slot: iso(run.slotAtMs),
  phase: run.phase,
  attempts: run.attempts,
  missed: run.missed,
  ...(run.by === undefined ? {} : { backfilledBy: run.by }),
  ...(run.startedAtMs === undefined ? {} : { startedAt: iso(run.startedAtMs), lateMs: Math.max(0, run.startedAtMs - run.slotAtMs) }),
  ...(run.phase === "parked" ? { reason: run.parked ?? "" } : {}),
  ...(run.settled === undefined
    ? {}
    : {
        outcome: run.settled.outcome,
        reason: run.settled.reason,
        ...(run.settled.failure === undefined ? {} : { failure: run.settled.failure }),
        settledAt: iso(run.settled.atMs),
        durationMs: run.settled.durationMs,
        fields: run.settled.fields
      })
})
