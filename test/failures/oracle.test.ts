import { Effect } from "effect"
import { assert, it } from "vitest"
import { property } from "../property.ts"
import { compared, histories, longHistory, real } from "./oracle.ts"

property(
  "the state service and tables of SQLite come to the same, through starts, kills, power cuts and checkpoints",
  { runs: 120 },
  histories,
  (history) => Effect.promise(async () => assert.isUndefined(await compared(history)))
)

property("so they do on the disk of this machine", { runs: 4 }, histories, (history) =>
  Effect.promise(async () => {
    const ground = real()
    try {
      assert.isUndefined(await compared(history, ground))
    } finally {
      ground.remove()
    }
  })
)

it("so they do when more runs have settled than are remembered", async () => {
  assert.isUndefined(await compared(longHistory(2_100)))
})
