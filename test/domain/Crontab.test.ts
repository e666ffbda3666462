import { spawnSync } from "node:child_process"
import * as Result from "effect/Result"
import { expect, it } from "vitest"
import { readCrontab } from "../../src/domain/Crontab.ts"

const made = (text: string) => readCrontab(text, "Europe/Berlin").map((job) => job.made)
const only = (text: string) => Result.getOrThrow(made(text).at(-1)!)
/** What a line prints, run as its skill would be. */
const prints = (text: string) => {
  const [program, ...rest] = only(text).settings.run!
  return spawnSync(program!, rest, { encoding: "utf8", env: { PATH: process.env["PATH"], HOME: "/usr" }, cwd: "/" }).stdout
}

it("a line goes through the shell that cron would start, in the home folder, with the settings above it", () => {
  expect(only("*/5 * * * * a | b").settings).toEqual({
    schedule: { cron: "*/5 * * * *", timezone: "Europe/Berlin" },
    run: ["/bin/sh", "-c", `cd "$HOME" || exit; a | b`],
    timeout: "1 day",
    retry: { attempts: 1 },
    onInterruption: "record"
  })
  expect(prints(`A = "one two"\nB='3'\n\n# C=4\n@daily echo "$A,$B,$C" && pwd`)).toBe("one two,3,\n/usr\n")
  expect(only("SHELL=/bin/bash\n@hourly x").settings.run!.slice(0, 2)).toEqual(["/bin/bash", "-c"])
  expect(made("@daily first\nA=1\n@daily second").map((one) => Result.getOrThrow(one).settings.run![0])).toEqual([
    "/bin/sh",
    "/usr/bin/env"
  ])
})

it("what stands behind a % is read by the command, and an escaped one is a %", () => {
  expect(prints("0 0 * * * cat; echo 100\\%%first%se'c\"ond")).toBe(`first\nse'c"ond\n100%\n`)
  expect(prints("0 0 * * * echo 5\\%")).toBe("5%\n")
})

it("a zone of its own, and where its output went, are said", () => {
  expect(only("CRON_TZ=Asia/Tokyo\nMAILTO=\n@daily x").settings.schedule).toEqual({ cron: "@daily", timezone: "Asia/Tokyo" })
  expect(only("MAILTO=me\n@daily x").differs).toContain("what it prints is kept with its run; there it is mailed to me")
  expect(only("MAILTO=\n@daily x").differs.join()).not.toContain("mailed")
  expect(only("MAILTO=me\n@daily x").settings.run).not.toContain("/usr/bin/env")
})

it.each([
  ["@reboot x", "@reboot is no instant"],
  ["0 5 * * * root /usr/sbin/logrotate", "it has a user column"],
  ["0 5 * *", "neither a setting nor five fields and a command"],
  ["API_TOKEN=s3cret-value\n@daily x", "its API_TOKEN looks like a secret"]
])("refused by name: %s", (text, says) => {
  expect(Result.match(made(text).at(-1)!, { onFailure: (why) => why, onSuccess: () => "it became a skill" })).toContain(says)
})

it("a job is called as its program, and known again wherever its line stands", () => {
  const names = ["0 0 * * * /opt/a/backup.sh -x", "@daily cd /srv && ./report.py > out", "@daily A=1 nice poll"].flatMap((line) =>
    readCrontab(line, "UTC")
  )
  expect(names.map(({ name }) => name)).toEqual(["backup", "report", "poll"])
  const [one, two] = ["0 0 * * *   x y", "# moved\nA=1\n0 0 * * * x  y"].map((text) => readCrontab(text, "UTC")[0]!.id)
  expect(one).toBe(two)
})
