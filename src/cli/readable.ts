/** What the disk refuses a command that only looks, as an error that says what to do. */
import * as Effect from "effect/Effect"
import { DiskError, StateUnusable } from "../domain/Errors.ts"

export const readable = <A, E, R>(
  directory: string,
  reading: Effect.Effect<A, E | DiskError, R>
): Effect.Effect<A, Exclude<E, DiskError> | StateUnusable, R> =>
  Effect.mapError(reading, (error) =>
    error instanceof DiskError
      ? new StateUnusable({
          code: "STATE_DIR_UNREADABLE",
          where: error.path,
          got: `${error.code} from ${error.operation}`,
          want: `a directory that this user may use: ${directory}`,
          fix: "give this user the right, or free the disk"
        })
      : (error as Exclude<E, DiskError>)
  )
