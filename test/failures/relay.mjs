/** Hands bytes on, from one address to another: `node relay.mjs HOST PORT TO_HOST TO_PORT`. What ends on one side ends on the other. */
import { connect, createServer } from "node:net"

const [host, port, toHost, toPort] = process.argv.slice(2)
const server = createServer((near) => {
  const far = connect(Number(toPort), toHost)
  const pair = [near, far]
  for (const socket of pair) {
    const other = pair[1 - pair.indexOf(socket)]
    socket.setNoDelay()
    socket.on("error", () => other.resetAndDestroy())
    socket.on("close", () => other.destroy())
    socket.pipe(other)
  }
})
server.listen(Number(port), host, () => process.stdout.write("listening\n"))
