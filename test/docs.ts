/** What the documents copy from the code: each of these makes the text anew, so that a page cannot drift from what it speaks of. */
import type { StateNode } from "xstate"
import { type EndingMeaning, endings } from "../src/domain/Ending.ts"
import { guarantees, type Mode } from "../src/machines/guarantees.ts"
import { runtimeMachine } from "../src/machines/runtime.ts"

/** The modes and what each of them promises, as a table. */
export const modesTable = (): string => {
  const rows = (Object.keys(guarantees) as ReadonlyArray<Mode>).map((mode) => {
    const { means, local, session, gateway, results } = guarantees[mode]
    return [`\`${mode}\``, means, local, session, gateway, results]
  })
  const head = ["mode", "means", "local skills", "`needs: [session]`", "`needs: [gateway]`", "results"]
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

/** How attempts end that come to nothing, as a table. */
export const endingsTable = (): string => {
  const rows = Object.entries<EndingMeaning>(endings).map(([code, { means, retried, fix }]) => [`\`${code}\``, means, retried, fix])
  const head = ["code", "what it means", "tried again", "what to do"]
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

/**
 * The runtime machine as mermaid text. An arrow joins two states of one parent; where it begins or ends deeper inside of them,
 * its label says so, since mermaid knows no arrow across a border.
 */
export const runtimeDiagram = (): string => ["stateDiagram-v2", ...inside(runtimeMachine.root, "  ")].join("\n")

const inside = (parent: StateNode<any, any>, indent: string): ReadonlyArray<string> => {
  const children = Object.values(parent.states)
  const declared = children.map((child, position) => {
    const head = `${indent}state "${child.key}${invoked(child)}" as ${name(child)}`
    const nested = Object.keys(child.states).length === 0 ? [head] : [`${head} {`, ...inside(child, `${indent}  `), `${indent}}`]
    return [...(parent.type === "parallel" && position > 0 ? [`${indent}--`] : []), ...nested]
  })
  const initial = parent.type === "compound" ? parent.initial.target.map((node) => `${indent}[*] --> ${name(node)}`) : []
  const ends = children.filter(({ type }) => type === "final").map((node) => `${indent}${name(node)} --> [*]`)
  return [...initial, ...declared.flat(), ...arrows(parent).map((arrow) => indent + arrow), ...ends]
}

/** Every transition whose lowest common home is this node, those with one label for one pair of states once. */
const arrows = (home: StateNode<any, any>): ReadonlyArray<string> => {
  const found = descendants(home).flatMap((source) =>
    [...source.transitions.values(), source.always ?? []].flat().flatMap((transition) =>
      (transition.target ?? []).flatMap((target) => {
        const [from, to] = [below(home, source), below(home, target)]
        if (from === undefined || to === undefined || from === to) return []
        const places = [from === source ? "" : ` in ${source.key}`, to === target ? "" : ` to ${target.key}`].join("")
        const guard = transition.guard === undefined ? "" : `[${named(transition.guard)}]`
        return [`${name(from)} --> ${name(to)} : ${[label(transition.eventType), guard].filter((part) => part !== "").join(" ")}${places}`]
      })
    )
  )
  return [...new Set(found)]
}

/** An event in the words of the machine: `after drainDeadline`, `session failed`, `recover is done`. */
const label = (event: string): string => {
  const [, kind, what = ""] = /^xstate\.(after|done\.actor|error\.actor)\.(.+)$/.exec(event) ?? []
  const actor = invokes.get(what) ?? what
  switch (kind) {
    case "after":
      return `after ${what.split(".")[0]}`
    case "done.actor":
      return `${actor} is done`
    case "error.actor":
      return `${actor} failed`
    default:
      return event
  }
}

const descendants = (node: StateNode<any, any>): ReadonlyArray<StateNode<any, any>> =>
  Object.values(node.states).flatMap((child) => [child, ...descendants(child)])

/** The child of `home` that holds this node, or is it. */
const below = (home: StateNode<any, any>, node: StateNode<any, any>): StateNode<any, any> | undefined =>
  node.parent === undefined ? undefined : node.parent === home ? node : below(home, node.parent)

const name = ({ path }: StateNode<any, any>): string => path.join("_")

const invoked = ({ invoke }: StateNode<any, any>): string => invoke.map(({ src }) => ` (runs ${named(src)})`).join("")

/** Guards and actors are given by name in every machine of ours; one that is not has no place in a picture. */
const named = (reference: unknown): string => {
  if (typeof reference !== "string") throw new Error("the machine names its guards and actors")
  return reference
}

const invokes: ReadonlyMap<string, string> = new Map(
  descendants(runtimeMachine.root).flatMap(({ invoke }) => invoke.map(({ id, src }) => [id, named(src)] as const))
)
