/** The public face of the machine. Tools that look deeper (decoder, disassembler, registers) import those files themselves. */

export type { InputDevice } from "./board/board";
export { NOMINAL_HZ } from "./board/clock";
export { CODE_PAGE_437 } from "./board/codepage";
export {
  BufferDisk,
  type DiskBackend,
  type DiskFault,
  type DiskState,
  SECTOR_BYTES,
  type SectorSource,
} from "./board/disk";
export { type Screen, screenRows } from "./board/display";
export { scanCodesOf } from "./board/scancodes";
export {
  EventKind,
  type EventListener,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type RunOptions,
  type StopReason,
} from "./contract";
export {
  COST_VERSION,
  type CostTable,
  DEFAULT_MODEL,
  MODEL_NAMES,
  type ModelName,
  STANDARD_COSTS,
  STANDARD_TLB,
  type TlbGeometry,
} from "./cpu";
export { MachineError } from "./errors";
export type { InputRecord, InputStamp } from "./inputqueue";
export type { Registers, TlbEntry } from "./inspect";
export { Machine } from "./machine";
export type { BootModule, BootOptions } from "./multiboot";
