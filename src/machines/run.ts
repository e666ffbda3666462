/** One run: from its claim to its outcome. What it does in between survives crashes, since each step on the way is journaled first. */
import { assign, type ErrorActorEvent, or, sendTo, setup, stateIn } from "xstate"
import type { AttemptEnd } from "../domain/Attempt.ts"
import type { Ending, FailureClass } from "../domain/Ending.ts"
import type { Outcome } from "../domain/Outcome.ts"
import type { Retry } from "../domain/Skill.ts"
import type { Fields } from "../domain/SkillContext.ts"
import { decideRetry } from "../domain/policies/retry.ts"
import { port } from "./port.ts"

export interface RunInput {
  readonly run: string
  readonly retry: Retry
  /** What the journal says of the run so far: all zero for a new one. */
  readonly attempts: number
  readonly failedAttempts: number
  /** How long to wait before the next attempt, for a run that was waiting for it when the runtime died. */
  readonly retryInMs: number | undefined
  /** Set when the run is to end without another attempt: it was interrupted, and that is where it stays. */
  readonly interrupted: string | undefined
  /** Pools in which each of its attempts needs a place. */
  readonly pools: ReadonlyArray<string>
  /** Set when the process of its latest attempt outlived the runtime that began it, or has left its answer meanwhile. */
  readonly survives?: boolean
  /** Who cancelled it before it began. */
  readonly cancelled?: string
}

/** What a run came to, on its way into the journal. */
export interface Settlement {
  readonly outcome: Outcome
  readonly reason: string
  readonly fields: Fields
  readonly summary: string | undefined
  /** Of a failed run: the code and the class of its last attempt. */
  readonly failure?: { readonly code: Ending; readonly class: FailureClass }
}

export interface RunContext extends RunInput {
  readonly backoffMs: number
  /** Why the latest attempt is tried again, or is not. */
  readonly failure: string
  /** Whether the latest attempt failed for want of the link, so that the next one waits for it. */
  readonly wantsLink: boolean
  readonly settlement: Settlement | undefined
}

export type RunEvent = { readonly type: "run.cancel"; readonly by: string }

const ports = setup({
  types: {
    input: {} as RunInput,
    context: {} as RunContext,
    events: {} as RunEvent,
    /** Nothing for a run that was parked: it has no outcome, and goes on as a new actor. */
    output: {} as Settlement | undefined,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Done when the run has a place in each of its pools; what it holds is given back once the end of the attempt is on record. */
    place: port<void, { readonly run: string; readonly pools: ReadonlyArray<string> }>("place"),
    /** Journals the attempt, does the work, and says how it ended. */
    attempt: port<AttemptEnd, { readonly run: string; readonly attempt: number }>("attempt"),
    /** Waits for the end of an attempt that another runtime has begun, and says what it was. */
    adopt: port<AttemptEnd, { readonly run: string; readonly attempt: number }>("adopt"),
    /** Journals a failed attempt and when the next one is due. */
    recordFailure: port<void, { readonly run: string; readonly attempt: number; readonly reason: string; readonly backoffMs: number }>(
      "recordFailure"
    ),
    /** Done as soon as what the skill needs of the link is there. */
    link: port<void>("link"),
    /** Journals that the run waits for a person. */
    park: port<void, { readonly run: string; readonly reason: string }>("park"),
    /** The commit point. */
    settle: port<void, { readonly run: string; readonly settlement: Settlement }>("settle")
  },
  guards: {
    survives: ({ context }) => context.survives === true,
    wasCancelled: or([stateIn({ executing: "cancelling" }), stateIn({ adopting: "cancelling" })]),
    isCancelled: ({ context }) => context.cancelled !== undefined,
    staysInterrupted: ({ context }) => context.interrupted !== undefined,
    wantsLink: ({ context }) => context.wantsLink,
    needsPlace: ({ context }) => context.pools.length > 0,
    waitsForRetry: ({ context }) => context.retryInMs !== undefined,
    succeeded: (_, end: AttemptEnd) => end._tag === "Succeeded",
    tooLate: (_, end: AttemptEnd) => end._tag === "TooLate",
    mismatched: (_, end: AttemptEnd) => end._tag === "Mismatched",
    mayRetry: ({ context }, end: AttemptEnd) => end._tag === "Failed" && backoffAfter(context, end.retryable) !== undefined
  },
  actions: {
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    interruptAttempt: sendTo("attempt", { type: "effect.interrupt" }),
    keepSuccess: assign({ settlement: (_, end: AttemptEnd) => settlementOf(end) }),
    keepFailure: assign({
      failedAttempts: ({ context }) => context.failedAttempts + 1,
      settlement: (_, end: AttemptEnd) => settlementOf(end)
    }),
    keepTooLate: assign({ settlement: (_, end: AttemptEnd) => settlementOf(end) }),
    keepDefect: assign({ settlement: (_, error: unknown) => ended("failed", `defect: ${String(error)}`) }),
    planRetry: assign({
      backoffMs: ({ context }) => backoffAfter(context, true) ?? 0,
      failedAttempts: ({ context }) => context.failedAttempts + 1,
      failure: (_, end: AttemptEnd) => (end._tag === "Failed" ? end.reason : ""),
      wantsLink: (_, end: AttemptEnd) => end._tag === "Failed" && end.class === "link"
    }),
    keepMismatch: assign({ failure: (_, end: AttemptEnd) => (end._tag === "Mismatched" ? end.reason : "") }),
    keepInterruption: assign({ settlement: ({ context }) => ended("interrupted", context.interrupted ?? "") }),
    keepEarlyCancellation: assign({ settlement: ({ context }) => cancelled(context.cancelled ?? "") }),
    keepCancellation: assign({ settlement: (_, by: string) => cancelled(by) })
  },
  delays: {
    backoff: ({ context }) => context.backoffMs
  }
})

/** An attempt, whichever runtime has begun it, and what may come of it. */
const underWay = ports.createStateConfig({
  tags: "operational",
  invoke: {
    id: "attempt",
    src: "attempt",
    input: ({ context }) => ({ run: context.run, attempt: context.attempts }),
    onDone: [
      {
        guard: { type: "succeeded", params: ({ event }) => event.output },
        target: "settling",
        actions: { type: "keepSuccess", params: ({ event }) => event.output }
      },
      { guard: "wasCancelled", target: "settling" },
      {
        guard: { type: "tooLate", params: ({ event }) => event.output },
        target: "settling",
        actions: { type: "keepTooLate", params: ({ event }) => event.output }
      },
      {
        guard: { type: "mismatched", params: ({ event }) => event.output },
        target: "parking",
        actions: { type: "keepMismatch", params: ({ event }) => event.output }
      },
      {
        guard: { type: "mayRetry", params: ({ event }) => event.output },
        target: "recording",
        actions: { type: "planRetry", params: ({ event }) => event.output }
      },
      { target: "settling", actions: { type: "keepFailure", params: ({ event }) => event.output } }
    ],
    onError: [
      { guard: "wasCancelled", target: "settling" },
      { target: "settling", actions: { type: "keepDefect", params: ({ event }: { readonly event: ErrorActorEvent }) => event.error } }
    ]
  },
  initial: "working",
  states: {
    working: {
      on: { "run.cancel": { target: "cancelling", actions: { type: "keepCancellation", params: ({ event }) => event.by } } }
    },
    /** The attempt ends what it started before it reports, so nothing of a cancelled run is alive once it is settled. */
    cancelling: { entry: "interruptAttempt" }
  }
})

export const runMachine = ports.createMachine({
  id: "run",
  meta: { guarantee: "Nothing of it starts before that is on record, and it ends in exactly one outcome." },
  context: ({ input }) => ({
    ...input,
    backoffMs: input.retryInMs ?? 0,
    failure: "",
    wantsLink: false,
    settlement: undefined
  }),
  output: ({ context }) => context.settlement,
  initial: "claimed",
  states: {
    claimed: {
      always: [
        { guard: "survives", target: "adopting" }, // First: whatever else is said of it, what lives has to be ended or waited for.
        { guard: "isCancelled", target: "settling", actions: "keepEarlyCancellation" },
        { guard: "staysInterrupted", target: "settling", actions: "keepInterruption" },
        { guard: "waitsForRetry", target: "retryable" },
        { guard: "needsPlace", target: "queued" },
        { target: "executing" }
      ]
    },
    /** Others are at work where it needs a place. */
    queued: {
      tags: "operational",
      invoke: { src: "place", input: ({ context: { run, pools } }) => ({ run, pools }), onDone: "executing" },
      on: {
        "run.cancel": { target: "settling", actions: { type: "keepCancellation", params: ({ event }) => event.by } }
      }
    },
    /** The process of its latest attempt outlived the last runtime: that attempt goes on, and no other begins beside it. */
    adopting: { ...underWay, invoke: { ...underWay.invoke, src: "adopt" } },
    executing: { ...underWay, entry: "countAttempt" }, // Counted before the attempt starts: a crash in the middle must not earn a free try.
    recording: {
      invoke: {
        src: "recordFailure",
        input: ({ context }) => ({ run: context.run, attempt: context.attempts, reason: context.failure, backoffMs: context.backoffMs }),
        onDone: "retryable"
      }
    },
    retryable: {
      tags: "degraded",
      after: {
        backoff: [{ guard: "wantsLink", target: "linking" }, { guard: "needsPlace", target: "queued" }, { target: "executing" }]
      },
      on: {
        "run.cancel": { target: "settling", actions: { type: "keepCancellation", params: ({ event }) => event.by } }
      }
    },
    /** An attempt without the link would fail like the last one: its tries are for when it is there. */
    linking: {
      tags: "degraded",
      invoke: { src: "link", onDone: [{ guard: "needsPlace", target: "queued" }, { target: "executing" }] },
      on: {
        "run.cancel": { target: "settling", actions: { type: "keepCancellation", params: ({ event }) => event.by } }
      }
    },
    parking: {
      invoke: {
        src: "park",
        input: ({ context }) => ({ run: context.run, reason: context.failure }),
        onDone: "parked"
      }
    },
    /** Final, so that its skill goes on: released, it comes back as a run of its own, whose record says what is done. */
    parked: { type: "final", tags: "degraded" },
    settling: {
      invoke: {
        src: "settle",
        input: ({ context }) => ({ run: context.run, settlement: context.settlement! }),
        onDone: "settled"
      }
    },
    settled: { type: "final", tags: "stopped" }
  }
})

/** What a run comes to that somebody has cancelled. */
export const cancelled = (by: string): Settlement => ended("cancelled", `cancelled by ${by}`)

const ended = (outcome: Outcome, reason: string): Settlement => ({ outcome, reason, fields: {}, summary: undefined })

const settlementOf = (end: AttemptEnd): Settlement => {
  switch (end._tag) {
    case "Succeeded":
      return {
        outcome: end.unproven === undefined ? "success" : "unproven",
        reason: end.unproven ?? "",
        fields: end.fields,
        summary: end.summary
      }
    case "Failed":
      return {
        ...ended("failed", `${end.code}: ${end.reason}`),
        failure: { code: end.code, class: end.class ?? (end.retryable ? "retryable" : "terminal") }
      }
    case "Mismatched":
      return ended("failed", end.reason)
    case "Interrupted":
      return ended("interrupted", end.reason)
    case "TooLate":
      return ended("cancelled", end.reason)
  }
}

const backoffAfter = (context: RunContext, retryable: boolean): number | undefined =>
  decideRetry({ failedAttempts: context.failedAttempts + 1, retry: context.retry, retryable })?.delayMs
