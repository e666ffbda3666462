/** Looking at a runtime's machines: what to hand to `createRuntime({ inspect })`. */
export { type Inspector } from "../layers/Inspection.ts"
