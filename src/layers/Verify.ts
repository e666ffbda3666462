/**
 * Reads all of a journal, not only what a start reads: every segment with its seal, every checkpoint against the fold of what
 * comes before it. Changes nothing, takes no lock, and may be done beside a runtime.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { hashOf } from "../domain/canonical.ts"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import { type DiskError, shown, StateUnusable } from "../domain/Errors.ts"
import { type Damage, headerOf, JournalReading, lost, type Segment } from "../domain/JournalReading.ts"
import { Ledger } from "../domain/Ledger.ts"
import { Disk } from "./Disk.ts"
import { checkpointName, checkpointsIn, eachSegment, firstMissing, gap, newestCheckpoint, readSealed, segmentsIn } from "./Recovery.ts"

export interface Verified {
  readonly segments: number
  readonly records: number
  readonly checkpoints: number
  /** SHA-256 of the state's canonical form. */
  readonly hash: string
  /** The instant of the last event that a later one proves durable; nothing where there is none. */
  readonly durableAtMs: number | undefined
  /** What a start would cut; beside a runtime it may be a line that is just being written. */
  readonly torn: ReadonlyArray<Damage>
}

/** Fails with what a start would be refused for, and with damage to history that a start does not read. `onRead` is told of bytes. */
export const verify = Effect.fnUntraced(function* (
  directory: string,
  onRead: (bytes: number) => void = () => {}
): Effect.fn.Return<Verified, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const names = yield* disk.list(join(directory, "journal"))
  const numbers = segmentsIn(names)
  const missing = firstMissing(numbers, numbers[0])
  if (missing !== undefined) return yield* gap(missing)
  const checkpoints: Array<Checkpoint> = []
  for (const number of checkpointsIn(names)) {
    const { base } = yield* newestCheckpoint(directory, [checkpointName(number)])
    if (base === undefined) return yield* unlike(number, "a file that is not whole")
    checkpoints.push(base)
  }
  if (numbers.length === 0 && checkpoints[0] !== undefined) return yield* gap(checkpoints[0].segment)

  let reading = new JournalReading()
  let [segments, firstSeq] = [0, 0]
  let known = numbers[0] === 1
  /** Each checkpoint through this segment is compared with what was read so far, or believed where nothing says what was before. */
  const meet = (through: number) =>
    Effect.gen(function* () {
      for (let next = checkpoints[0]; next !== undefined && next.segment <= through; next = checkpoints[0]) {
        checkpoints.shift()
        const { place, hash } = next
        if (known || segments > 0) {
          if (reading.last.seq !== place.seq || reading.last.crc !== place.crc)
            return yield* unlike(next.segment, "another place in the journal")
        } else firstSeq = place.seq
        if (!known) reading = new JournalReading(next)
        else if (hashOf(reading.ledger) !== hash) return yield* unlike(next.segment, hash)
        known = true
      }
    })
  const begin = (segment: Segment) => {
    const header = headerOf(segment.bytes)
    if (segments++ === 0 && !known && header !== undefined) {
      // History before it has gone. Its own word is taken for where it begins, and a checkpoint's for the state.
      firstSeq = header.after
      const place = { seq: header.after, crc: Number.parseInt(header.chain, 16) }
      reading = new JournalReading({ segment: segment.number, place, epoch: 0, ledger: new Ledger(), hash: "", chapters: [] })
    }
    return meet(segment.number)
  }
  yield* eachSegment(directory, numbers, (segment, next) =>
    Effect.gen(function* () {
      yield* begin(segment)
      onRead(segment.bytes.length)
      yield* readSealed(reading, segment, next)
    })
  )
  yield* meet(Number.POSITIVE_INFINITY)
  if (!known && segments > 0) return yield* gap(1)
  return {
    segments,
    records: reading.last.seq - firstSeq,
    checkpoints: checkpointsIn(names).length,
    hash: hashOf(reading.ledger),
    durableAtMs: reading.provenAtMs === 0 ? undefined : reading.provenAtMs,
    torn: reading.damage
  }
})

const unlike = (segment: number, got: string) =>
  new StateUnusable({
    code: "CHECKPOINT_INVALID",
    where: `journal/${checkpointName(segment)}`,
    got: shown(got),
    want: "what the segments before it add up to",
    fix: lost
  })
