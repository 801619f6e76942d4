/** A machine with all that a debugger's session needs. May import the rest of tools/gdb, tools/image/layout's types, tools/replay. */
import { basename } from "node:path";
import type { Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import type { HistoryOptions } from "../replay/history";
import { Control } from "./control";
import { Memory } from "./memory";
import { Monitor } from "./monitor";
import { Stops } from "./stops";
import { Tasks } from "./tasks";

/** What a session debugs. */
export interface Debugged {
  control: Control;
  stops: Stops;
  tasks: Tasks;
  memory: Memory;
  monitor: Monitor;
}

/** Characters of a task's name, as the kernel keeps it. */
const NAME_CHARACTERS = 15;

export interface DebugOptions {
  /** Of a kernel of ours. */
  layout: KernelLayout | undefined;
  /** The debugged program as a file of the initrd; without one user addresses mean every process. */
  program?: { name: string; data: Uint8Array };
  /** The images that the machine has booted, for `monitor why`. */
  images?: { kernel: Uint8Array; modules: readonly Uint8Array[] };
  history?: HistoryOptions;
}

/** `machine` stands at the beginning of what can be gone back to. */
export function debugMachine(machine: Machine, options: DebugOptions): Debugged {
  const { layout, program, images, history } = options;
  const tasks = new Tasks(machine, layout);
  const isKnown = layout !== undefined && program !== undefined;
  const name = isKnown ? basename(program.name).slice(0, NAME_CHARACTERS) : undefined;
  const stops = new Stops(machine, tasks, name);
  const control = new Control(machine, stops, history);
  const memory = new Memory(machine, program?.data);
  return { control, stops, tasks, memory, monitor: new Monitor({ control, stops, memory, tasks, layout, images }) };
}
