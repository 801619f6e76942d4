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

/** `program`: the debugged one as a file of the initrd; without one user addresses mean every process. */
export function debugMachine(
  machine: Machine,
  layout: KernelLayout | undefined,
  program?: { name: string; data: Uint8Array },
  history: HistoryOptions = {},
): Debugged {
  const tasks = new Tasks(machine, layout);
  const name =
    layout === undefined || program === undefined ? undefined : basename(program.name).slice(0, NAME_CHARACTERS);
  const stops = new Stops(machine, tasks, name);
  const control = new Control(machine, stops, history);
  const memory = new Memory(machine, program?.data);
  return { control, stops, tasks, memory, monitor: new Monitor(machine, control, stops, memory, layout) };
}
