/**
 * The house rules as a function: reads the import lines and the calls of source files and says which arrow each one breaks.
 *
 * `import type` costs nothing at run time and obeys the wider `types` column. An `import { type X }` still loads its module, and counts as that.
 */
import { dirname, join } from "node:path/posix"
import { parseAst } from "rolldown/parseAst"

/** What a room may load (`run`), what it may also name in types, and the packages it may load. */
interface Rules {
  readonly run: ReadonlyArray<Room>
  readonly types?: ReadonlyArray<Room>
  readonly packages: RegExp
  /** Time and chance come from Effect's Clock and Random. */
  readonly ownsNoTime?: true
}

type Room =
  | "domain/policies"
  | "domain"
  | "machines"
  | "layers"
  | "host"
  | "watch"
  | "gateway"
  | "inspect"
  | "monitor"
  | "testing"
  | "entry"
  | "cli"
  | "bin"
  | "skills"
  | "examples"

/** What is installed with the package; XState besides where it has business (see `meeting`). */
const published = /^(effect\/.+|node:.+|ws|yaml|@effect\/platform-node-shared\/.+)$/
const publishedOrXState = /^(effect\/.+|xstate(\/.+)?|node:.+|ws|yaml|@effect\/platform-node-shared\/.+)$/
const nothing = /^\b$/

const rooms: Readonly<Record<Room, Rules>> = {
  "domain/policies": { run: [], types: ["domain", "domain/policies"], packages: nothing, ownsNoTime: true },
  domain: {
    run: ["domain", "domain/policies"],
    // Data and arithmetic: of Node only checksums, digests and the arithmetic of paths, a parser, of Effect only what does nothing by itself.
    packages:
      /^(effect\/(Array|Brand|Cron|Data|DateTime|Duration|Equal|Function|Hash|HashMap|HashSet|Match|Number|Option|Order|Predicate|Record|Redacted|Result|Schema\w*|String|Struct|Tuple)|node:zlib|node:crypto|node:path\/posix|yaml)$/,
    ownsNoTime: true
  },
  machines: {
    run: ["machines", "domain/policies"],
    types: ["machines", "domain", "domain/policies"],
    packages: /^xstate$/,
    ownsNoTime: true
  },
  layers: { run: ["layers", "machines", "domain", "domain/policies"], packages: publishedOrXState, ownsNoTime: true },
  host: { run: ["host", "layers", "domain", "domain/policies"], packages: published },
  watch: { run: [], types: ["layers", "domain"], packages: /^node:.+$/ }, // It has to work when nothing else does.
  gateway: { run: ["gateway", "layers", "machines", "domain", "domain/policies"], packages: published },
  inspect: { run: ["inspect", "layers", "machines", "domain", "domain/policies"], packages: publishedOrXState },
  monitor: { run: ["monitor", "layers", "domain", "domain/policies"], packages: published },
  testing: { run: ["testing", "gateway", "layers", "machines", "domain", "domain/policies"], packages: publishedOrXState },
  entry: { run: ["entry", "gateway", "inspect", "layers", "machines", "domain", "domain/policies"], packages: published },
  // Bundled with all it loads, so it alone may use what is not installed with the package.
  cli: {
    run: ["cli", "entry", "gateway", "inspect", "monitor", "host", "testing", "layers", "machines", "domain", "domain/policies"],
    packages: /^(effect\/.+|node:.+|ws|yaml|@effect\/platform-node(-shared)?\/.+)$/
  },
  bin: { run: ["cli"], packages: nothing },
  skills: { run: ["skills"], packages: /^(holdfast(\/.+)?|node:.+)$/ },
  examples: { run: ["examples"], packages: /^(holdfast(\/.+)?|effect(\/.+)?|xstate|ws|@statelyai\/inspect(\/.+)?|node:.+)$/ }
}

/** The only places where XState and Effect meet. */
const bridge = new Set(["src/layers/actor.ts", "src/layers/clock.ts"])

/** Machines without hands: the table of promises, the ports, the list. */
const handless = new Set(["guarantees", "index", "port"])

/** Each broken rule as `file:line: what (the arrow)`. `sources` maps paths from the root of the repository to their text. */
export const broken = (sources: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...sources].flatMap(([file, text]) => {
    const { imports, takes } = read(file, text)
    const loads = imports.filter((one) => !one.typeOnly)
    return [
      ...imports.flatMap((one) => arrow(file, one)),
      ...meeting(file, loads),
      ...(rules(file)?.ownsNoTime
        ? takes.map(({ line, what }) => `${file}:${line}: ${what} (${roomOf(file)} asks Clock, Random or Effect.sleep)`)
        : [])
    ]
  })

/** Who else names the lock file: any open and close of it inside the process that holds it frees the lock. */
export const meddling = (sources: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...sources].flatMap(([file, text]) =>
    file === "src/layers/Lock.ts" || !text.includes("lock.db")
      ? []
      : [`${file}:${text.slice(0, text.indexOf("lock.db")).split("\n").length}: names lock.db (Lock.ts alone opens it)`]
  )

/** Each machine without its layer of the same name. */
export const unpaired = (files: Iterable<string>): ReadonlyArray<string> => {
  const all = new Set(files)
  return [...all].flatMap((file) => {
    const name = /^src\/machines\/(\w+)\.ts$/.exec(file)?.[1]
    if (name === undefined || handless.has(name)) return []
    const layer = `src/layers/${name[0]?.toUpperCase()}${name.slice(1)}.ts`
    return all.has(layer) ? [] : [`${file}:1: has no hands: ${layer} is missing (machines/x.ts and layers/X.ts are a pair)`]
  })
}

const arrow = (file: string, { specifier, typeOnly, line }: Import): ReadonlyArray<string> => {
  const from = roomOf(file)
  const rule = rules(file)
  if (from === undefined || rule === undefined) return [`${file}:${line}: stands in no room of the house`]
  const wrong = (why: string) => [`${file}:${line}: "${specifier}" (${why})`]
  if (specifier === "effect" && from !== "examples") return wrong("import effect/X: the barrel makes every start slower")
  if (!specifier.startsWith(".")) {
    if (rule.ownsNoTime && /^node:(timers|perf_hooks)/.test(specifier)) return wrong(`${from} asks Clock, Random or Effect.sleep`)
    return (typeOnly && from !== "skills") || rule.packages.test(specifier) ? [] : wrong(`${from} -/-> ${specifier}`)
  }
  const target = join(dirname(file), specifier)
  const to = roomOf(target)
  if (to === from && (from === "skills" || from === "examples") && folder(target) !== folder(file)) return wrong("a skill stands alone")
  const may: ReadonlyArray<string> = typeOnly ? (rule.types ?? rule.run) : rule.run
  return to !== undefined && may.includes(to) ? [] : wrong(`${from} -/-> ${to ?? target}${typeOnly ? "" : " at run time"}`)
}

const meeting = (file: string, loads: ReadonlyArray<Import>): ReadonlyArray<string> => {
  if (bridge.has(file) || !file.startsWith("src/")) return []
  const xstate = loads.find(
    ({ specifier, names }) => specifier === "xstate" && (roomOf(file) === "layers" || names.includes("createActor") || names.includes("*"))
  )
  const effect = loads.some(({ specifier }) => specifier.startsWith("effect"))
  return xstate !== undefined && (effect || roomOf(file) === "layers")
    ? [`${file}:${xstate.line}: "xstate" (XState and Effect meet in layers/actor.ts and layers/clock.ts alone)`]
    : []
}

const rules = (file: string): Rules | undefined => {
  const room = roomOf(file)
  return room && rooms[room]
}

const roomOf = (file: string): Room | undefined => {
  if (file === "src/bin.ts") return "bin"
  if (/^src\/[^/]+$/.test(file)) return "entry"
  if (file.startsWith("src/domain/policies/")) return "domain/policies"
  const name = /^(?:src\/)?([^/]+)\//.exec(file)?.[1] ?? ""
  return Object.hasOwn(rooms, name) ? (name as Room) : undefined
}

const folder = (file: string): string => (file.startsWith("skills/") ? file.split("/").slice(0, 2).join("/") : "examples")

interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  /** What is taken by name; `*` for the whole module. */
  readonly names: ReadonlyArray<string>
  readonly line: number
}

interface Take {
  readonly what: string
  readonly line: number
}

/** A node of the syntax tree, as far as it matters here. */
type Node = { readonly type: string; readonly start: number; readonly [key: string]: unknown }

const read = (file: string, text: string): { readonly imports: ReadonlyArray<Import>; readonly takes: ReadonlyArray<Take> } => {
  const imports: Array<Import> = []
  const takes: Array<Take> = []
  walk(parseAst(text, { lang: "ts" }, file), (node) => {
    const line = text.slice(0, node.start).split("\n").length
    const specifier = (node["source"] as { value?: unknown } | null | undefined)?.value
    if (typeof specifier === "string") {
      const typeOnly = node["importKind"] === "type" || node["exportKind"] === "type" || node.type === "TSImportType"
      imports.push({ specifier, typeOnly, names: namesOf(node), line })
    }
    const what = taken(node)
    if (what !== undefined) takes.push({ what, line })
  })
  return { imports, takes }
}

const namesOf = (node: Node): ReadonlyArray<string> =>
  ((node["specifiers"] as ReadonlyArray<{ imported?: { name?: string } }> | undefined) ?? []).map(({ imported }) => imported?.name ?? "*")

const clocks = new Set(["setTimeout", "setInterval", "setImmediate"])
const processTime = new Set(["Date.now", "Math.random", "performance.now", "performance.timeOrigin", "process.hrtime", "process.uptime"])

/** Time or chance taken from the process. */
const taken = (node: Node): string | undefined => {
  const callee = node["callee"] as Node | undefined
  switch (node.type) {
    case "MemberExpression": {
      const path = `${nameOf(node["object"])}.${nameOf(node["property"])}`
      return processTime.has(path) || (path.startsWith("globalThis.") && clocks.has(path.slice(11))) ? path : undefined
    }
    case "NewExpression":
      return nameOf(callee) === "Date" && (node["arguments"] as ReadonlyArray<unknown>).length === 0 ? "new Date()" : undefined
    case "CallExpression":
      return nameOf(callee) === "Date" || clocks.has(nameOf(callee)) ? `${nameOf(callee)}()` : undefined
    default:
      return undefined
  }
}

const nameOf = (node: unknown): string => {
  const { type, name, value } = (node ?? {}) as { type?: string; name?: string; value?: unknown }
  return type === "Identifier" ? (name ?? "") : type === "Literal" ? String(value) : ""
}

const walk = (node: unknown, visit: (node: Node) => void): void => {
  if (Array.isArray(node)) return node.forEach((one) => walk(one, visit))
  if (typeof node !== "object" || node === null) return
  if (typeof (node as Node).type === "string") visit(node as Node)
  Object.values(node).forEach((one) => walk(one, visit))
}
