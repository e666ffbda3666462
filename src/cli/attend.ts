/** What `holdfast up` does while the runtime works: says what happens, passes the signals on, and knows how it ended. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { explain, shown, StorageFailed } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { drainDeadlineMs, type HoldfastOptions, type Services } from "../layers/Holdfast.ts"
import { reasonOf, Runtime } from "../layers/Runtime.ts"
import { Secrets } from "../layers/Secrets.ts"
import { StateStore } from "../layers/StateStore.ts"
import { linkProblems } from "../layers/StatusPicture.ts"
import { Session } from "../layers/Session.ts"
import { Supervisor } from "../layers/Supervisor.ts"
import { guarantees, type Mode } from "../machines/guarantees.ts"
import { exit } from "./command.ts"
import { greet } from "./greeting.ts"
import type { Out } from "./output.ts"
import { reloadedWords } from "./reload.ts"
import { clock, length } from "./times.ts"
import { eventLine, heldLine, line, modeLine } from "./upLog.ts"

interface Attended {
  readonly options: HoldfastOptions
  readonly notes: ReadonlyArray<string>
  readonly signals: Queue.Dequeue<string>
  /** One for each time that the skills are to be read again. */
  readonly reloads: Queue.Dequeue<string>
  /** Every event of this start, from the first. */
  readonly events: Queue.Dequeue<JournalEvent>
  readonly out: Out
}

/** Says what happens until the runtime has ended, and passes the signals on. */
export const attend = Effect.fnUntraced(function* ({
  options,
  notes,
  signals,
  reloads,
  events,
  out: plain
}: Attended): Effect.fn.Return<number, StorageFailed, Services | Scope.Scope> {
  const runtime = yield* Runtime
  const store = yield* StateStore
  const secrets = yield* Secrets
  const out: Out = {
    ...plain,
    line: (text) => plain.line(secrets.text(text)),
    value: (value) => plain.value(secrets.event(value as object))
  }
  const greeted = yield* Latch.make()
  const tell = (value: unknown, text: string | undefined): void => {
    // A reader that stopped reading, as a pager does, must not fill our memory: the journal has it all.
    if (out.backlog() > backlogMaxBytes) return
    if (out.json) out.value(value)
    else if (text !== undefined) out.line(text)
  }
  const sayNext = Effect.map(Queue.take(events), (event) => {
    if (event.type !== "mode.changed") tell(event, eventLine(event, out)) // Modes are told below: also while nothing can be written.
  })
  yield* Effect.forkScoped(Effect.andThen(greeted.await, Effect.forever(sayNext)))
  yield* Effect.forkScoped(passOn(signals, options.drainDeadlineMs ?? drainDeadlineMs, tell, out))
  yield* Effect.forkScoped(sayHeld(tell, out))
  yield* Effect.forkScoped(Effect.andThen(greeted.await, sayProblems(tell, out)))
  yield* Effect.forkScoped(Effect.andThen(greeted.await, Effect.forever(reloadNext(reloads, tell, out))))

  let before: Mode = "starting"
  yield* Stream.runForEach(runtime.modes, (mode) =>
    Effect.gen(function* () {
      if (mode === "starting" || mode === "stopped" || mode === "failed") return
      if (before === "starting") {
        greet(options, notes, yield* runtime.picture, store.ledger, out)
        yield* greeted.open
      } else {
        const atMs = yield* Clock.currentTimeMillis
        const reason = reasonOf(runtime.actor.getSnapshot())
        tell({ type: "mode.changed", atMs, from: before, to: mode, reason, guarantee: guarantees[mode] }, modeLine(atMs, mode, reason, out))
      }
      before = mode
    })
  ).pipe(Effect.forkScoped({ startImmediately: true }))

  const end = yield* runtime.ended
  if (end.mode === "failed") {
    return yield* new StorageFailed({
      code: "RUNTIME_FAILED",
      where: options.state,
      got: secrets.text(shown(end.reason)),
      want: "a disk that takes what is written, and no defect",
      fix: "mend what is named, then start again: it recovers as after a crash",
      retryable: false
    })
  }
  const atMs = yield* Clock.currentTimeMillis
  tell({ type: "runtime.ended", atMs, ...end }, line(atMs, "mode", `stopped: ${shown(end.reason)}`, out))
  return exit.ok
})

const backlogMaxBytes = 1_048_576

/** The first signal drains, the second one stops. */
const passOn = Effect.fnUntraced(function* (
  signals: Queue.Dequeue<string>,
  deadlineMs: number,
  tell: (value: unknown, text: string) => void,
  out: Out
) {
  const runtime = yield* Runtime
  const supervisor = yield* Supervisor
  const send = (type: "runtime.drain" | "runtime.stop") => {
    if (runtime.actor.getSnapshot().status === "active") runtime.actor.send({ type })
  }
  const first = yield* Queue.take(signals)
  const busy = (yield* supervisor.skills).flatMap(({ run }) => run ?? [])
  const atMs = yield* Clock.currentTimeMillis
  const waiting =
    busy.length === 0
      ? "nothing is running"
      : `waiting for ${busy.join(", ")}, at most ${length(deadlineMs)} until ${clock(atMs + deadlineMs)}; again to stop now`
  tell(
    { type: "drain.asked", atMs, signal: first, waitsFor: busy, deadlineAtMs: atMs + deadlineMs },
    line(atMs, "stop", `${first}: ${waiting}`, out)
  )
  send("runtime.drain")
  const second = yield* Queue.take(signals)
  const nowMs = yield* Clock.currentTimeMillis
  tell(
    { type: "stop.asked", atMs: nowMs, signal: second },
    line(nowMs, "stop", `${second} again: what runs is ended now, and tried again by the next start`, out)
  )
  send("runtime.stop")
})

/** Reads the skills again, and says what came of it: who sends a signal gets no answer. */
const reloadNext = Effect.fnUntraced(function* (reloads: Queue.Dequeue<string>, tell: (value: unknown, text: string) => void, out: Out) {
  const runtime = yield* Runtime
  yield* Queue.take(reloads)
  const result = yield* Effect.result(runtime.reload)
  const atMs = yield* Clock.currentTimeMillis
  if (Result.isSuccess(result)) {
    return tell({ type: "skills.reloaded", atMs, ...result.success }, line(atMs, "reload", reloadedWords(result.success), out))
  }
  const { code, where, got, want, fix } = result.failure
  tell({ type: "reload.refused", atMs, error: { code, where, got, want, fix } }, line(atMs, "reload", explain(result.failure), out))
})

/** Says what a person has to mend before the link can be whole, once for each time that it comes about. */
const sayProblems = Effect.fnUntraced(function* (tell: (value: unknown, text: string) => void, out: Out) {
  const runtime = yield* Runtime
  const session = yield* Session
  let known = new Set<string>()
  yield* Stream.runForEach(runtime.reasons, () =>
    Effect.gen(function* () {
      const problems = linkProblems(runtime.actor.getSnapshot(), yield* session.oddities)
      const atMs = yield* Clock.currentTimeMillis
      for (const problem of problems) {
        if (!known.has(problem.code)) tell({ type: "link.problem", atMs, ...problem }, line(atMs, "link", explain(problem), out))
      }
      known = new Set(problems.map(({ code }) => code))
    })
  )
})

/** Being held is a state and no event, so it is looked for; only in modes in which something can be. */
const sayHeld = Effect.fnUntraced(function* (tell: (value: unknown, text: string) => void, out: Out) {
  const runtime = yield* Runtime
  const supervisor = yield* Supervisor
  let known = new Set<string>()
  for (;;) {
    yield* Effect.sleep(lookEveryMs)
    const guarantee = guarantees[yield* runtime.mode]
    if (guarantee.local === "fires" && guarantee.session !== "held" && guarantee.gateway !== "held") {
      known = new Set()
      continue
    }
    const held = (yield* supervisor.skills).filter(({ state }) => state === "held")
    const atMs = yield* Clock.currentTimeMillis
    for (const { name, reason } of held) {
      if (!known.has(name)) tell({ type: "skill.held", atMs, skill: name, reason }, heldLine(atMs, name, reason ?? "", out))
    }
    known = new Set(held.map(({ name }) => name))
  }
})
const lookEveryMs = 1_000
