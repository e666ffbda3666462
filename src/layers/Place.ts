/** Looks at where a state directory is, or will be; `domain/Place.ts` judges. Nothing is opened, made or changed. */
import * as Effect from "effect/Effect"
import { lstatSync, realpathSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import type { StateUnusable } from "../domain/Errors.ts"
import { markers, mountOf, type Place, placeRefusal, unlinked } from "../domain/Place.ts"
import { mountsOf } from "./platform.ts"

/** Fails where a state directory may not be. */
export const acceptable = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<void, StateUnusable> {
  const mounts = yield* mountsOf
  const { path, ...seen } = look(resolve(directory)) // A slash behind a link's name would lead through it.
  const place: Place = { ...seen, path, mount: mountOf(seen.realPath, mounts) }
  const refusal = placeRefusal(place, { uid: process.geteuid?.() ?? 0, home: home() })
  if (refusal !== undefined) return yield* refusal
})

const look = (directory: string): Omit<Place, "mount"> => {
  const own = named(directory)
  const there = own === undefined ? nearest(dirname(directory)) : directory
  const real = at(() => realpathSync(there)) ?? there
  const realPath = own === undefined ? join(real, relative(there, directory)) : real
  const target = own === undefined ? undefined : at(() => statSync(directory))
  return {
    path: directory,
    realPath,
    linked: own?.isSymbolicLink() ?? false,
    links: unlinked.filter((name) => named(join(directory, name))?.isSymbolicLink() ?? false),
    access: target && { uid: target.uid, mode: target.mode },
    parentMode: at(() => statSync(nearest(dirname(realPath))))?.mode ?? 0,
    markers: above(realPath).flatMap((folder) =>
      [...markers.keys()].map((name) => join(folder, name)).filter((path) => named(path) !== undefined)
    )
  }
}

/** The folder itself, or the first one above it that is there. */
const nearest = (folder: string): string => (named(folder) !== undefined || folder === dirname(folder) ? folder : nearest(dirname(folder)))

const above = (path: string): ReadonlyArray<string> => (path === dirname(path) ? [] : [path, ...above(dirname(path))])

const named = (path: string) => at(() => lstatSync(path, { throwIfNoEntry: false }))

/** Without links, as the directory is looked at; nothing for a user whom this machine does not know, such as a bare number in a container. */
const home = (): string | undefined => at(() => realpathSync.native(homedir())) // The other one takes an empty name for where we are.

/** Nothing where it is not for us to see: that is refused, or not, by the one who opens it. */
const at = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}
