/** Small guests on a whole machine, for its tests: booted, run, and compared. */
import * as assert from "uvu/assert";
import {
  type EventKind,
  Machine,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type RunOptions,
  type StopReason,
} from "../../cpu/index";
import type { Program } from "./guest";

export interface Booted {
  machine: Machine;
  serial: () => string;
}

export function boot(program: Program, options: Partial<MachineOptions> = {}): Booted {
  let text = "";
  const onSerial = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  };
  const machine = new Machine({ memoryMB: 4, onSerial, ...options });
  machine.loadMultiboot(program.elf());
  return { machine, serial: () => text };
}

/** Boots and runs; enough for any of the short programs. */
export function run(program: Program, options: Partial<RunOptions> = {}): Booted & { stop: StopReason } {
  const booted = boot(program);
  return { ...booted, stop: booted.machine.run({ maxInstructions: 10_000_000, ...options }) };
}

export function eventsOf(machine: Machine, ...kinds: EventKind[]): MachineEvent[] {
  const events: MachineEvent[] = [];
  machine.onEvent((event) => {
    if (kinds.length === 0 || kinds.includes(event.kind)) events.push({ ...event });
  });
  return events;
}

/** All that a guest or a listener can see of a machine, for comparison. */
export function fingerprint(machine: Machine) {
  const { instret, cycles, registers } = machine;
  let hash = 0;
  for (const byte of machine.readPhysical(0, machine.memoryMB << 20)) hash = (Math.imul(hash, 31) + byte) | 0;
  return { instret, cycles, registers, hash };
}

export function throwsMachineError(body: () => unknown, message: RegExp): void {
  try {
    body();
  } catch (error) {
    assert.instance(error, MachineError);
    assert.match((error as MachineError).message, message);
    return;
  }
  assert.unreachable("nothing was thrown");
}

/** The bytes of a text. */
export const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
/** How a guest ends that writes 0 to the exit port. */
export const EXIT_OK = { reason: "exit", value: 0 };
