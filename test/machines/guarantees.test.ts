/** The table of promises, word for word as the design has it, and each mode shown where its state is. */
import { assert, describe, it } from "vitest"
import type { AnyStateMachine, StateNode } from "xstate"
import { type Firing, type Guarantee, guarantees, type Mode } from "../../src/machines/guarantees.ts"
import * as machines from "../../src/machines/index.ts"

const promised: Readonly<Record<Mode, readonly [local: Firing, session: Firing, gateway: Firing]>> = {
  failed: ["held", "held", "held"],
  stopped: ["held", "held", "held"],
  starting: ["held", "held", "held"],
  draining: ["held", "held", "held"],
  blocked: ["held", "held", "held"],
  held: ["held", "held", "held"],
  standalone: ["fires", "refused", "refused"],
  "degraded.partitioned": ["fires", "held", "held"],
  "degraded.sessionLost": ["fires", "held", "fires"],
  "degraded.gatewayLost": ["fires", "fires", "held"],
  resyncing: ["fires", "fires", "fires"],
  connected: ["fires", "fires", "fires"]
}
const nodesOf = (machine: AnyStateMachine): ReadonlyArray<StateNode<any, any>> => {
  const below = (node: StateNode<any, any>): ReadonlyArray<StateNode<any, any>> => [node, ...Object.values(node.states).flatMap(below)]
  return below(machine.root)
}

describe("the guarantees", () => {
  it.each(Object.entries(promised))("of %s are what was promised", (mode, [local, session, gateway]) => {
    assert.deepInclude(guarantees[mode as Mode] as Guarantee, { local, session, gateway })
  })

  it("fire local skills in every mode of the link", () => {
    for (const [mode, { local }] of Object.entries(guarantees)) {
      if (/^(degraded|resyncing|connected|standalone)/.test(mode)) assert.strictEqual(local, "fires", mode)
    }
  })

  it("name no mode but these", () => {
    assert.sameMembers(Object.keys(guarantees), Object.keys(promised))
  })

  it("stand on exactly one state each", () => {
    const shown = nodesOf(machines.runtimeMachine).flatMap(({ meta }) =>
      meta === undefined ? [] : [(meta as { readonly mode: Mode }).mode]
    )
    assert.sameMembers(shown, Object.keys(guarantees))
    assert.strictEqual(new Set(shown).size, shown.length)
  })
})

describe("every machine", () => {
  const all = Object.entries(machines).filter((entry): entry is [string, AnyStateMachine] => entry[0].endsWith("Machine"))

  it("is one of the eight", () => {
    assert.sameMembers(
      all.map(([name]) => name),
      [
        "runtimeMachine",
        "supervisorMachine",
        "skillMachine",
        "runMachine",
        "sessionMachine",
        "gatewayMachine",
        "outboxMachine",
        "circuitMachine"
      ]
    )
  })

  it.each(all)("%s says what it guarantees, at its root or in its modes", (_, machine) => {
    const said = (node: StateNode<any, any>): boolean => node.meta?.guarantee !== undefined || Object.values(node.states).some(said)
    assert.isTrue(said(machine.root))
  })

  it.each(all)("%s names its guards and actions, since names are what a picture shows", (_, machine) => {
    for (const { id, always, entry, exit, transitions } of nodesOf(machine)) {
      for (const { actions, guard, eventType } of [...transitions.values(), always ?? []].flat()) {
        if (guard !== undefined) assert.isTrue(named(guard) || "check" in (guard as object), `the guard of ${eventType} in ${id}`)
        for (const action of actions) assert.isTrue(named(action), `an action of ${eventType} in ${id}`)
      }
      for (const action of [...entry, ...exit]) assert.isTrue(named(action) || isTimer(action), `an action of ${id}`)
    }
  })
})

/** By its name alone, or with its parameters. */
const named = (part: unknown): boolean => typeof part === "string" || (typeof part === "object" && part !== null && "type" in part)
/** What XState adds for an `after`: it is raised on entry and cancelled on exit. */
const isTimer = (part: unknown): boolean =>
  typeof part === "function" && ["xstate.raise", "xstate.cancel"].includes((part as { readonly type?: string }).type ?? "")
