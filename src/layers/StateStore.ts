/**
 * The one public state service: append what happened, read what it adds up to, and keep the views that people read.
 *
 * `append` resolves when its events are durable *and* part of the ledger. What is not durable is in no ledger, no view
 * and no stream, so nobody can act on a fact that a crash could take back.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { StorageFailed } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import type { Ledger } from "../domain/Ledger.ts"

/** Whether the disk takes what we write. `blocked` ends by itself; `failed` only with a new start. */
export type StorageCondition =
  | { readonly _tag: "Writable" }
  | { readonly _tag: "Blocked"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly reason: string }

/** An event before it is stamped: the store adds the version and, where none is given, the instant. */
export type NewEvent = JournalEvent extends infer E ? E extends JournalEvent ? Omit<E, "v" | "atMs"> & { readonly atMs?: number } : never : never

export class StateStore extends Context.Service<StateStore, {
  /** The state directory, absolute. */
  readonly directory: string
  /** Grows with every start on this directory. */
  readonly epoch: number
  /** Appends all of them, in this order and in one batch. While the disk is blocked this waits; it fails once the disk has failed. */
  readonly append: (...events: ReadonlyArray<NewEvent>) => Effect.Effect<void, StorageFailed>
  /** What every durable event adds up to. Shared and live: read it, never change it. */
  readonly ledger: Ledger
  /** Durable events from now on, in order. The stream is bounded by nothing: take them as they come. */
  readonly events: Stream.Stream<JournalEvent>
  /** Whether the disk takes what we write; first the present condition, then each change. */
  readonly condition: Stream.Stream<StorageCondition>
  /** Replaces a view (a path relative to the state directory, or absolute) whole; `modifiedAtMs` becomes its mtime. A view that cannot be written is logged and rebuilt later: the journal has the fact. */
  readonly view: (path: string, text: string, modifiedAtMs?: number) => Effect.Effect<void>
}>()("holdfast/layers/StateStore") {}
