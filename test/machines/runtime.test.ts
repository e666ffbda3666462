/** A walk over every configuration of the runtime machine: what the map promises holds in each of them. */
import { assert, describe, it } from "vitest"
import { type AnyEventObject, initialTransition, type StateNode, transition } from "xstate"
import { guarantees, type Mode } from "../../src/machines/guarantees.ts"
import { linkOf, modeOf, runtimeMachine, type RuntimeSnapshot } from "../../src/machines/runtime.ts"

interface Move {
  readonly event: string
  readonly to: RuntimeSnapshot
  readonly stopped: ReadonlyArray<string>
  readonly started: ReadonlyArray<string>
}
interface Configuration {
  readonly snapshot: RuntimeSnapshot
  readonly moves: ReadonlyArray<Move>
}

/** Every event that any node listens to: our own, delays, and the ends of what is invoked. */
const events = (() => {
  const found = new Set<string>()
  const collect = (node: StateNode<any, any>): void => {
    for (const type of node.transitions.keys()) found.add(type)
    for (const child of Object.values(node.states)) collect(child)
  }
  collect(runtimeMachine.root)
  return [...found]
})()

const key = (snapshot: RuntimeSnapshot): string => JSON.stringify(snapshot.value)
const eventOf = (type: string, restarts: string | undefined): AnyEventObject => ({
  type,
  bootId: "b",
  reason: "reset",
  output: { restarts },
  error: new Error("defect")
})
/** An end can only come from an actor that is there. */
const possible = (type: string, { children }: RuntimeSnapshot): boolean => {
  const actor = /^xstate\.(?:done|error)\.actor\.(.*)$/.exec(type)?.[1]
  return actor === undefined || actor in children
}

const walk = (input: { readonly linked: boolean; readonly hold: boolean }, restarts?: string): ReadonlyArray<Configuration> => {
  const [first] = initialTransition(runtimeMachine, { ...input, drainDeadlineMs: 1_000 })
  const seen = new Map<string, Configuration>()
  const todo = [first]
  for (let snapshot = todo.pop(); snapshot !== undefined; snapshot = todo.pop()) {
    if (seen.has(key(snapshot))) continue
    const from = snapshot
    const moves =
      from.status !== "active"
        ? []
        : events
            .filter((type) => possible(type, from))
            .map((type): Move => {
              const [to, actions] = transition(runtimeMachine, from, eventOf(type, restarts) as never)
              const named = (kind: string) =>
                actions.filter((action) => action.type === kind).map((action) => (action.params as { readonly id: string }).id)
              return { event: type, to, stopped: named("xstate.stopChild"), started: named("xstate.spawnChild") }
            })
    seen.set(key(from), { snapshot: from, moves })
    todo.push(...moves.map(({ to }) => to))
  }
  return [...seen.values()]
}

const linked = walk({ linked: true, hold: false })
const heldAtFirst = walk({ linked: true, hold: true })
const standalone = walk({ linked: false, hold: false })
const looping = walk({ linked: true, hold: false }, "5 within 10 minutes")
const all = [...linked, ...heldAtFirst, ...standalone, ...looping]
const operating = all.filter(({ snapshot }) => snapshot.matches("operating"))

/** What may end `operating`: a person, the disk, or a defect of the supervisor itself. */
const endings = new Set([
  "runtime.stop",
  "storage.failed",
  "xstate.error.actor.supervisor",
  "xstate.after.drainDeadline.runtime.operating.intake.draining",
  "xstate.done.actor.0.runtime.operating.intake.draining",
  "xstate.error.actor.0.runtime.operating.intake.draining"
])

describe("the walk", () => {
  it("sees every state of the map and moves between them by every event", () => {
    const states = new Set(all.flatMap(({ snapshot }) => snapshot._nodes.map((node) => node.id)))
    const nodes: Array<string> = []
    const collect = (node: StateNode<any, any>): void => {
      nodes.push(node.id)
      for (const child of Object.values(node.states)) collect(child)
    }
    collect(runtimeMachine.root)
    const passing = [
      "runtime.operating.session.absent",
      "runtime.operating.gateway.absent",
      "runtime.operating.outbox.absent",
      "runtime.operating.link.standalone"
    ]
    assert.deepStrictEqual(
      nodes.filter((node) => !states.has(node)),
      []
    )
    assert.isAbove(linked.length, 150)
    assert.isTrue(passing.every((node) => standalone.some(({ snapshot }) => snapshot._nodes.some(({ id }) => id === node))))
  })
})

describe("the supervisor", () => {
  it("is active in every configuration under operating", () => {
    for (const { snapshot } of operating) assert.include(Object.keys(snapshot.children), "supervisor", key(snapshot))
  })

  it("is neither stopped nor started again by anything but an end of operating", () => {
    for (const { snapshot, moves } of operating) {
      for (const { event, stopped, started, to } of moves) {
        if (endings.has(event)) continue
        assert.notInclude(stopped, "supervisor", `${event} in ${key(snapshot)}`)
        assert.notInclude(started, "supervisor", `${event} in ${key(snapshot)}`)
        assert.isTrue(to.matches("operating"), `${event} in ${key(snapshot)}`)
      }
    }
  })

  it("is invoked by a node that no transition of session, gateway, outbox or link can exit", () => {
    const { operating: node } = runtimeMachine.root.states
    assert.deepStrictEqual(
      node?.invoke.map(({ src }) => src),
      ["supervisor"]
    )
    for (const region of ["session", "gateway", "outbox", "link"] as const) {
      const collect = (inner: StateNode<any, any>): void => {
        const own = [...inner.transitions.values(), inner.always ?? []].flat()
        for (const { target, reenter, eventType } of own) {
          for (const aim of target ?? []) {
            const inside = aim.id.startsWith(`runtime.operating.${region}.`) || (aim.id === `runtime.operating.${region}` && !reenter)
            assert.isTrue(inside, `${inner.id} on ${eventType} aims at ${aim.id}`)
          }
        }
        for (const child of Object.values(inner.states)) collect(child)
      }
      collect(node!.states[region]!)
    }
  })
})

describe("the mode", () => {
  it("fires local skills wherever intake is open and storage writable, whatever the link does", () => {
    const open = operating.filter(({ snapshot }) => snapshot.matches({ operating: { intake: "open", storage: "writable" } }))
    assert.isAbove(open.length, 20)
    for (const { snapshot } of open) assert.strictEqual(guarantees[modeOf(snapshot)].local, "fires", key(snapshot))
    const others = operating.filter((configuration) => !open.includes(configuration))
    for (const { snapshot } of others) assert.strictEqual(guarantees[modeOf(snapshot)].local, "held", key(snapshot))
  })

  it("is each of the modes of the table somewhere, and no other", () => {
    assert.sameMembers([...new Set(all.map(({ snapshot }) => modeOf(snapshot)))], Object.keys(guarantees) as Array<Mode>)
  })

  it("says of the link what the reports of session and gateway say", () => {
    for (const { snapshot } of operating) {
      const { session, gateway } = snapshot.context
      const expected: ReadonlyArray<Mode> =
        session === "notConfigured"
          ? ["standalone"]
          : session !== undefined
            ? gateway !== undefined
              ? ["degraded.partitioned"]
              : ["degraded.sessionLost"]
            : gateway !== undefined
              ? ["degraded.gatewayLost"]
              : ["resyncing", "connected"]
      assert.include(expected, linkOf(snapshot), key(snapshot))
    }
  })

  it("leads back to connected, or standalone, from every configuration, without a stop", () => {
    for (const [configurations, goal] of [
      [linked, "connected"],
      [heldAtFirst, "connected"],
      [standalone, "standalone"]
    ] as const) {
      const good = new Set(configurations.filter(({ snapshot }) => modeOf(snapshot) === goal).map(({ snapshot }) => key(snapshot)))
      for (let grown = true; grown;) {
        grown = false
        for (const { snapshot, moves } of configurations) {
          if (good.has(key(snapshot)) || !moves.some(({ event, to }) => !endings.has(event) && good.has(key(to)))) continue
          good.add(key(snapshot))
          grown = true
        }
      }
      const lost = configurations.filter(({ snapshot }) => snapshot.status === "active" && !good.has(key(snapshot)))
      // A runtime that drains has been asked to stop: there is no way back from that, and there should be none.
      assert.deepStrictEqual(
        lost.filter(({ snapshot }) => modeOf(snapshot) !== "draining").map(({ snapshot }) => key(snapshot)),
        []
      )
    }
  })
})

describe("a restart of one part", () => {
  it("leaves the other parts running", () => {
    for (const part of ["session", "gateway", "outbox"] as const) {
      for (const { snapshot, moves } of linked) {
        const failure = moves.find(({ event }) => event === `xstate.error.actor.${part}`)
        if (failure !== undefined) assert.deepStrictEqual(failure.stopped, [part], key(snapshot))
      }
    }
  })

  it("counts a failed session as lost at once", () => {
    const connected = linked.find(({ snapshot }) => modeOf(snapshot) === "connected" && "session" in snapshot.children)
    const failure = connected?.moves.find(({ event }) => event === "xstate.error.actor.session")
    assert.strictEqual(failure === undefined ? undefined : modeOf(failure.to), "degraded.sessionLost")
  })
})

describe("a port that nobody plugged", () => {
  it("fails loudly as soon as it is needed", async () => {
    const { createActor } = await import("xstate")
    const actor = createActor(runtimeMachine, { input: { linked: false, hold: false, drainDeadlineMs: 1_000 } })
    const ended = new Promise((resolve) => actor.subscribe({ error: resolve, complete: () => resolve("complete") }))
    actor.start()
    assert.strictEqual(await ended, "complete")
    assert.match(actor.getSnapshot().output?.reason ?? "", /port "recover" .* has nobody plugged in/)
    assert.strictEqual(modeOf(actor.getSnapshot()), "failed")
  })
})
