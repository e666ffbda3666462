/** Files of skills for the fuzzer, most of them nearly right. */
import { mutated, type Pick } from "./fuzz.ts"

/** A sound file with some of the settings, in the styles of YAML; of two of them one is changed in a place or two. */
export const skillFile = (pick: Pick): Buffer => {
  const keys = new Set<string>()
  /** Some of them, each key once as a rule. */
  const some = (from: ReadonlyArray<string>, share: number) =>
    from.filter((line) => {
      const [key = ""] = /^[^:]*/.exec(line)!
      const chosen = pick.chance(share) && (!keys.has(key) || pick.chance(0.02))
      if (chosen) keys.add(key)
      return chosen
    })
  const settings = some(inside, 0.2).map((line) => `    ${line.replaceAll("\n", "\n    ")}`)
  const ours = pick.chance(0.9) ? ["metadata:", pick.chance(0.9) ? "  holdfast:" : "  openclaw: {}", ...settings] : []
  const head = [`name: ${pick.of(["beat", '"beat"', "'beat'", "beat # it"])}`, ...some(outside, 0.15), ...ours].join("\n")
  const body = pick.chance(0.3) ? "Text.\n---\nMore.\n" : ""
  let text = `---${pick.chance(0.05) ? " " : ""}\n${head}\n---\n${body}`
  if (pick.chance(0.03)) text = `---\n${Array.from({ length: pick.below(60) }, () => pick.of(pieces)).join("")}\n---\n`
  if (pick.chance(0.4)) text = mutated(pick, text, pieces)
  if (pick.chance(0.01))
    text = text.replace("name:", `x: ${pick.of(["[", "{a: ", "- ", "y"]).repeat(pick.of([1, 60, 64, 65, 5_000, 20_000]))}\nname:`)
  if (pick.chance(0.1)) text = text.replaceAll("\n", "\r\n")
  if (pick.chance(0.05)) text = `\ufeff${text}`
  const bytes = Buffer.from(text)
  if (pick.chance(0.02)) bytes[pick.below(bytes.length)] = pick.below(256)
  return bytes
}

const outside = [
  "description: Does it.",
  'description: "Does: it.\\n"',
  "description: >-\n  Does it,\n  and more.",
  "license: MIT",
  "allowed-tools: [Bash, Read]",
  "# a word on it",
  "",
  '"quoted key": 1',
  "? x\n: y",
  "list:\n- 1\n- two\n- { three: 3 }",
  "n: 0x1F",
  "when: 2026-11-22T06:00:00Z",
  "none: ~",
  "yes: no"
]
const inside = [
  'schedule: { cron: "0 9,12 * * *", timezone: Asia/Tokyo }',
  "schedule:\n  every: 20 seconds\n  anchor: 2026-01-01T00:00:00Z",
  "schedule: { at: 2026-12-24T18:00:00Z }",
  "run: [./publish.sh, --account, en]",
  "run:\n- ./publish.sh\n- en",
  "module: ./skill.ts",
  "timeout: 10 minutes",
  "timeout: 600",
  "grace: 5s",
  "catchUp: latest",
  "overlap: skip",
  "retry: { attempts: 3, first: 1 second }",
  "retry:\n  cap: 5 minutes",
  "retry: { tries: 3 }",
  "onInterruption: rerun",
  "needs: []",
  "needs: [session, gateway]",
  "report: { when: change, session: main }",
  "report:\n  when: never",
  "evidence: { files: [out.md], atLeast: 1 second }",
  "env: [LANG, HOME]",
  "schedul: {}",
  "__proto__: { polluted: 1 }"
]
const pieces = [
  ..."-:#&*!|>'\"%@`{}[],? \t\n\r~=<0aé",
  "---\n",
  "\n---\n",
  "...\n",
  ": ",
  "- ",
  " #",
  "&a ",
  "*a",
  "!!js/function ",
  "!x ",
  "<<: ",
  "<<: *a\n",
  "? ",
  "|\n",
  ">-\n",
  "%YAML 1.1\n",
  "\r\n",
  "\u2028",
  "\u2028---\u2028",
  "\u0085",
  "\ufeff",
  "\u0000",
  "name: b\n",
  "  holdfast:\n",
  "constructor: 1\n",
  "\\u202e"
]
