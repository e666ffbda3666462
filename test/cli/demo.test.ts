import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it(
  "the demo posts, remembers and reports within seconds, on another port when 3019 is taken, and touches only its own folder",
  { timeout: 120_000 },
  async () => {
    const world = makeWorld({ POSTS_ENDPOINT: "http://127.0.0.1:9/real", POSTS_DIR: "/nonexistent/real" })
    const other = createServer()
    await new Promise<void>((done) => other.once("error", () => done()).listen(3019, "127.0.0.1", done)) // Taken already is taken as well.
    onTestFinished(() => {
      other.close()
    })

    const demo = world.start("up", "--demo")
    const [, port] = await demo.says(/port 3019 is taken, so the demo's gateway listens on (\d+)/)
    expect(Number(port)).not.toBe(3019)
    await demo.says(/mode {4}connected/)
    await demo.says(/run {5}post-pipeline {2}success .*posts=[1-4] {2}account=demo/)
    await demo.says(/run {5}daily-memory {2}success/)
    await demo.says(/report {2}\S+ {2}acknowledged/)

    const place = join(world.home, process.platform === "darwin" ? "Library/Application Support" : ".state", "holdfast-demo")
    expect(demo.stdout()).toContain(`status --state ${join(place, "state")}`)
    expect(readdirSync(join(place, "posts/published")).length).toBeGreaterThan(0)
    expect((await world.run("status", "--state", join(place, "state"), "--exit-code")).code).toBe(0)

    chmodSync(join(place, "gateway/token"), 0o644) // A twin that looked at the gateway's folder would stumble over this.
    const twin = await world.run("up", "--demo")
    expect(twin).toMatchObject({ code: 69, stderr: expect.stringContaining(`pid ${demo.pid} `) })

    demo.kill("SIGINT")
    const { code, stdout, stderr } = await demo.ended
    expect(code).toBe(0)
    expect(stdout + stderr + twin.stderr).not.toContain(readFileSync(join(place, "gateway/token"), "utf8").trim())
    expect(readdirSync(world.home).filter((name) => name !== ".state" && name !== "Library")).toEqual([])
  }
)

it("with --state the demo's other files stand beside the state directory", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  const demo = world.start("up", "--demo", "--hold", "--state", world.state)
  await demo.says(/mode {4}held/)
  await until(() => (existsSync(`${world.state}-demo/posts/queue`) ? true : undefined))
  expect(existsSync(join(world.home, ".state"))).toBe(false)
})

it("the demo leaves nothing beside a place that is refused", async () => {
  const world = makeWorld()
  symlinkSync(world.home, join(world.home, "link"))
  const demo = await world.run("up", "--demo", "--state", join(world.home, "link"))
  expect([demo.code, demo.stderr]).toEqual([74, expect.stringContaining("STATE_DIR_SYMLINK")])
  expect(readdirSync(world.home)).toEqual(["link"])
})
