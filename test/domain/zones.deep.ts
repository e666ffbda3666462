/** Every change of clocks of every zone that this Node knows, from 2020 to 2040, and cron schedules around each of them. */
import { expect, it } from "vitest"
import { changesOf, walkAround } from "./minuteWalk.ts"

it("cron agrees with a walk over every minute, around every change of clocks from 2020 to 2040", () => {
  const zones = Intl.supportedValuesOf("timeZone")
  const years = Array.from({ length: 21 }, (_, i) => 2020 + i)
  const changes = zones.flatMap((zone) => years.flatMap((year) => changesOf(zone, year)))
  const rules = walkAround(changes)
  console.log(
    `zones: ${zones.length}, changes of clocks: ${changes.length}, different ones: ${rules}, 0 disagreements (tz ${process.versions["tz"]})`
  )
  expect(rules).toBeGreaterThan(500)
})
