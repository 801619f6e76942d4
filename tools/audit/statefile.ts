/**
 * Saved machine states as files: the machine's own state, the TLB's geometry, and the layout of the kernel that it ran.
 * May import cpu, tools/image/layout's types, Node.
 *
 *     "TINESTATE\n"  u32 version  u32 bytes of the rest  u32 CRC-32 of the rest  |  node:v8 serialisation of SavedState
 */
import { readFileSync, writeFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { BufferDisk, Machine, MachineError, type MachineState, type TlbGeometry } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { crc32 } from "./crc32";

const MAGIC = Buffer.from("TINESTATE\n");
const HEADER = MAGIC.length + 12;
/** Raised with every change of SavedState or of the header. */
const FILE_VERSION = 1;

interface SavedState {
  machine: MachineState;
  tlb: TlbGeometry;
  /** Absent when the kernel is not one of ours. */
  layout: KernelLayout | undefined;
}

/** The file is not a state that can be read; one line. */
export class StateFileError extends Error {}

/** Writes the state of a machine that does not run. Throws Node's error for a file that cannot be written. */
export function saveState(file: string, machine: Machine, layout: KernelLayout | undefined): void {
  const saved: SavedState = { machine: machine.save(), tlb: machine.cpu.tlb.geometry, layout };
  const body = serialize(saved);
  const header = Buffer.alloc(HEADER);
  MAGIC.copy(header);
  header.writeUInt32LE(FILE_VERSION, MAGIC.length);
  header.writeUInt32LE(body.length, MAGIC.length + 4);
  header.writeUInt32LE(crc32(body), MAGIC.length + 8);
  writeFileSync(file, Buffer.concat([header, body]));
}

/** A disk of the saved one's size, all zeros: what was on a disk that lives in a file is not part of a state. */
function blankDisk(sectors: number): BufferDisk {
  const read = (_: number, target: Uint8Array) => {
    target.fill(0);
    return true;
  };
  return new BufferDisk({ sectors, read });
}

/** The machine of a file, to be looked at, with its kernel's layout. Throws StateFileError, or Node's error. */
export function loadState(file: string): { machine: Machine; layout: KernelLayout | undefined } {
  const bytes = readFileSync(file);
  if (bytes.length < MAGIC.length || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new StateFileError(`${file}: not a saved machine state`);
  }
  if (bytes.length < HEADER) throw new StateFileError(`${file}: truncated`);
  const version = bytes.readUInt32LE(MAGIC.length);
  if (version !== FILE_VERSION) {
    throw new StateFileError(`${file}: a state of version ${version}; this is version ${FILE_VERSION}`);
  }
  const length = bytes.readUInt32LE(MAGIC.length + 4);
  const body = bytes.subarray(HEADER);
  if (body.length < length) throw new StateFileError(`${file}: truncated: ${body.length} bytes of ${length}`);
  if (body.length > length || crc32(body) !== bytes.readUInt32LE(MAGIC.length + 8)) {
    throw new StateFileError(`${file}: damaged: its checksum is wrong`);
  }
  const { machine, tlb, layout } = deserialize(body) as SavedState;
  try {
    const disk = machine.board.ide === null ? {} : { disk: blankDisk(machine.board.ide.sectors) };
    return { machine: Machine.restore(machine, { tlb, cpu: machine.cpu.model, ...disk }), layout };
  } catch (error) {
    if (error instanceof MachineError) throw new StateFileError(`${file}: ${error.message}`);
    throw error;
  }
}
