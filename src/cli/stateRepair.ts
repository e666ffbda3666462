/** `holdfast state repair`: what a damaged state directory would lose to start again, and that loss taken. */
import * as Effect from "effect/Effect"
import { explain } from "../domain/Errors.ts"
import { iso } from "../domain/Run.ts"
import { Disk } from "../layers/Disk.ts"
import { hold } from "../layers/Lock.ts"
import { acceptable } from "../layers/Place.ts"
import { type Lost, plan, repair } from "../layers/Repair.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"
import type { Out } from "./output.ts"
import { readable } from "./readable.ts"

export const command = defineCommand({
  about:
    "Says what of a damaged journal can be kept and what would be lost, and changes nothing. With --accept-loss it cuts the journal at the damage: the state is then one that was, and " +
    "what was done after it may be done again. What is cut goes to damaged/, with a report. Stop the runtime first. A backup that is newer than the damage loses less.",
  flags: {
    "accept-loss": { type: "switch", about: "do it" },
    state: shared.state,
    config: shared.config
  },
  examples: [
    ["holdfast state repair", "what is damaged, and what a repair would lose; leaves with 74 where anything would be"],
    ["holdfast state repair --accept-loss", "cuts, and says where the report is; the next start goes on from there"]
  ],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      if (flags["accept-loss"]) yield* Effect.andThen(acceptable(directory), readable(directory, hold(directory)))
      const planned = yield* readable(directory, plan(directory))
      if (planned === undefined) {
        if (out.json) out.value({ damage: null, repaired: false })
        else out.line("whole: there is nothing to repair")
        return exit.ok
      }
      const { damage, kept, lost, cuts, moved, missing } = planned
      const report = flags["accept-loss"] ? yield* readable(directory, repair(directory, planned)) : undefined
      if (out.json) {
        const { code, where, got, want } = damage
        const { segments, records, hash, durableAtMs } = kept
        out.value({
          damage: { code, where, got, want },
          kept: { segments, records, hash, lastDurable: durableAtMs === undefined ? null : iso(durableAtMs) },
          lost,
          cuts,
          moved,
          missing,
          repaired: report !== undefined,
          report: report ?? null
        })
      } else {
        out.line(explain(damage).split("\n").slice(0, 2).join("\n"))
        const through = kept.durableAtMs === undefined ? "" : ` through ${iso(kept.durableAtMs)}`
        out.line(`kept: ${kept.records} records in ${kept.segments} segments${through}, state ${kept.hash}`)
        const bytes = cuts.reduce((sum, cut) => sum + cut.bytes, 0)
        out.line(`lost: ${bytes} bytes of ${cuts.length} segments, with ${lost.records} records that can still be read${span(lost)}`)
        tell(out, "runs that had ended and may run again", lost.runs)
        tell(out, "steps that were done and may be done again", lost.steps)
        tell(out, "results that were told and may be told again", lost.reports)
        if (moved.length > 0) out.line(`moved whole: ${moved.join(", ")}`)
        if (missing.length > 0) out.line(`missing: ${missing.length} segments`)
        if (report === undefined) out.line("nothing was changed: restore a backup, or accept this with --accept-loss")
        else out.line(`repaired; what was lost is in damaged/, the report is ${report}`)
      }
      return report === undefined ? exit.storage : exit.ok
    }).pipe(Effect.scoped, Effect.provide(Disk.layerNode))
})

const span = ({ fromAtMs, toAtMs }: Lost): string =>
  fromAtMs === undefined || toAtMs === undefined ? "" : `, from ${iso(fromAtMs)} to ${iso(toAtMs)}`

/** Names that are shown; the report has all of them. */
const namesMax = 10

const tell = (out: Out, what: string, names: ReadonlyArray<string>): void => {
  if (names.length === 0) return
  const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : ""
  out.line(`  ${what}: ${names.slice(0, namesMax).join(", ")}${more}`)
}
