/** For testing skills and runtimes: a whole runtime in virtual time, a gateway that fails on command, and checkers that only look from outside. */
export { afterCrash, makeWorld, type World, type WorldOptions } from "./World.ts"
export { type Fault, faultyProxy, type FaultyProxy } from "./FaultyProxy.ts"
export { type Peer, scriptedPeer } from "./ScriptedPeer.ts"
export { type DiskMemory, diskMemory } from "../layers/DiskMemory.ts"
export { Durability, type Image, sectorBytes } from "./disk/Durability.ts"
export { type SimulatedDisk, simulatedDisk } from "./disk/SimulatedDisk.ts"
export * from "./checkers/index.ts"
