/**
 * `monitor` commands: a table of what a debugger can ask of the machine beside gdb's own questions. May import tools/{audit,trace,why},
 * tools/image/layout's types, cpu's public face, and the rest of tools/gdb.
 * Invariant: those that look read memory only; a kernel that is not ours, or has not set up its memory, is said to be so.
 */
import type { Machine } from "../../cpu/index";
import { Auditor } from "../audit/auditor";
import { readRmap } from "../audit/frames";
import { LayoutError, type Model, modelOf } from "../audit/model";
import { auditDirectories, readSpaces, SLOT_BYTES } from "../audit/spaces";
import { Broken, hex, type Space, type Table, View } from "../audit/view";
import type { KernelLayout } from "../image/layout";
import { programsOf } from "../trace/programs";
import { explainFrame } from "../why/explain";
import { explanationLines } from "../why/text";
import type { Control, Progress } from "./control";
import type { Memory } from "./memory";
import { ranges } from "./pages";
import type { Stops } from "./stops";
import type { Task, Tasks } from "./tasks";

interface Command {
  name: string;
  arguments: string;
  help: string;
  run(monitor: Monitor, word: string): string | Progress;
}

const COMMANDS: readonly Command[] = [
  { name: "help", arguments: "", help: "this list", run: (monitor) => monitor.help() },
  {
    name: "shares",
    arguments: "",
    help: "page tables with more than one user, and whose they are",
    run: (monitor) => monitor.shares(),
  },
  {
    name: "table",
    arguments: "ADDR",
    help: "the page table of an address in the selected thread",
    run: (monitor, word) => monitor.table(word),
  },
  {
    name: "rmap",
    arguments: "FRAME",
    help: "the ptes that map a frame, and who uses them",
    run: (monitor, word) => monitor.rmap(word),
  },
  {
    name: "why",
    arguments: "FRAME",
    help: "since when a table or data frame is used as it is, and which instructions made it so",
    run: (monitor, word) => monitor.why(word),
  },
  { name: "tlb", arguments: "", help: "what the TLB holds, stale entries too", run: (monitor) => monitor.tlb() },
  {
    name: "pg",
    arguments: "",
    help: "what the selected thread's page tables map, in ranges",
    run: (monitor) => monitor.pages(),
  },
  { name: "vmstat", arguments: "", help: "the kernel's counters", run: (monitor) => monitor.vmstat() },
  {
    name: "audit",
    arguments: "",
    help: "check all invariants of memory management now",
    run: (monitor) => monitor.audit(),
  },
  {
    name: "instret",
    arguments: "",
    help: "instructions and cycles so far, and how far back one can go",
    run: (monitor) => monitor.instret(),
  },
  {
    name: "seek",
    arguments: "N",
    help: "go to instruction N of the run, back or on",
    run: (monitor, word) => monitor.seek(word),
  },
  {
    name: "phys",
    arguments: "[on|off]",
    help: "gdb's addresses are physical ones",
    run: (monitor, word) => monitor.physical(word),
  },
  {
    name: "traps",
    arguments: "[over|into]",
    help: "whether a step in user mode goes over traps or into the kernel",
    run: (monitor, word) => monitor.traps(word),
  },
  {
    name: "everywhere",
    arguments: "[on|off]",
    help: "breakpoints at user addresses count in every process",
    run: (monitor, word) => monitor.everywhere(word),
  },
];

/** What the user can mend: its message is the answer. */
class Refused extends Error {}

export interface MonitorParts {
  control: Control;
  stops: Stops;
  memory: Memory;
  tasks: Tasks;
  layout: KernelLayout | undefined;
  /** What the machine has booted, if that is known. */
  images: { kernel: Uint8Array; modules: readonly Uint8Array[] } | undefined;
}

export class Monitor {
  /** A step in user mode goes into the kernel where the instruction traps. */
  stepsIntoTraps = false;
  private readonly machine: Machine;
  private readonly model: Model | undefined;
  private readonly words: Uint32Array;
  private directory = 0;
  private task: Task | undefined;

  constructor(private readonly parts: MonitorParts) {
    const { machine } = parts.control;
    const { ram } = machine.cpu;
    this.machine = machine;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.model = parts.layout === undefined ? undefined : knownModel(parts.layout);
  }

  /** Runs a command for a thread with its page directory: its output, or where it moves the machine, its progress. */
  run(line: string, directory: number, task: Task | undefined): string | Progress {
    const [name = "help", word = ""] = line
      .trim()
      .split(/\s+/)
      .filter((part) => part !== "");
    const command = COMMANDS.find((one) => one.name === name);
    if (command === undefined) return `no such command: ${name} (monitor help lists them)\n`;
    this.directory = directory;
    this.task = task;
    try {
      return command.run(this, word);
    } catch (error) {
      if (error instanceof Refused || error instanceof Broken) return `${error.message}\n`;
      throw error;
    }
  }

  help(): string {
    const rows = COMMANDS.map(({ name, arguments: words, help }) => [`${name} ${words}`.trim(), help]);
    const width = Math.max(...rows.map(([usage]) => usage.length));
    return rows.map(([usage, help]) => `${usage.padEnd(width)}  ${help}\n`).join("");
  }

  private get known(): { layout: KernelLayout; model: Model } {
    const { model } = this;
    const { layout } = this.parts;
    if (layout === undefined || model === undefined)
      throw new Refused("this kernel carries no layout to read its memory by");
    return { layout, model };
  }

  /** The address spaces and tables as they are now. Throws Refused or Broken. */
  private view(): View {
    const { model } = this.known;
    if (this.machine.cpu.control(0) < PAGING) throw new Refused("paging is still off");
    const view = new View(this.words, model);
    readSpaces(view);
    auditDirectories(view);
    return view;
  }

  shares(): string {
    const shared = this.view().tables.filter(({ sharers }) => sharers.length > 1);
    if (shared.length === 0) return "no page table has more than one user\n";
    return shared.map((table) => `${describeTable(table)}\n`).join("");
  }

  table(word: string): string {
    const address = numberOf(word, "an address");
    const view = this.view();
    const slot = Math.floor(address / SLOT_BYTES);
    const pde = this.words[((this.directory >>> 12) << 10) + slot] ?? 0;
    const lines = [`slot ${slot}: pde ${hex(pde)} ${flagsOf(pde)}`];
    if ((pde & 1) === 0) return `${lines[0]}, which maps nothing\n`;
    if ((pde & LARGE) !== 0) return `${lines[0]}, a page of 4 MB\n`;
    const index = view.tableOf[pde >>> 12] ?? -1;
    if (index >= 0) lines.push(`${describeTable(view.tables[index])}, ${countsOf(view, view.tables[index])}`);
    for (const entry of view.entriesAt((view.model.constants.kernelBase + (pde & ~0xfff)) >>> 0)) {
      const pte = this.words[((pde >>> 12) << 10) + entry];
      const what =
        (pte & view.model.constants.mapped) === 0
          ? `swap slot ${pte >>> 12}`
          : `frame ${hex(pte >>> 12)} ${flagsOf(pte)}`;
      lines.push(`  ${hex(slot * SLOT_BYTES + entry * 4096)}: pte ${hex(pte)} ${what}`);
    }
    return `${lines.join("\n")}\n`;
  }

  rmap(word: string): string {
    const frame = numberOf(word, "a frame");
    const view = this.view();
    const { model } = view;
    if (frame >= view.frames) return `frame ${hex(frame)}: there are ${view.frames} frames\n`;
    const kind = model.kindNames[view.kind(frame)] ?? `kind ${view.kind(frame)}`;
    const page = view.page(frame);
    const lines = [`frame ${hex(frame)}: ${kind}`];
    if (view.kind(frame) === model.constants.table) {
      const index = view.tableOf[frame];
      lines[0] += index < 0 ? ", which no directory points at" : `, ${describeTable(view.tables[index])}`;
    }
    if (view.kind(frame) !== model.constants.data) return `${lines[0]}\n`;
    const { entries, fault } = readRmap(view, view.words[page + model.fields.Page.rmap], MOST_ENTRIES);
    lines[0] += `, count ${view.words[page + model.fields.Page.count]}, ${entries.length} in its rmap`;
    for (const address of entries) lines.push(`  ${describeEntry(view, address)}`);
    if (fault !== undefined) lines.push(`  ${fault}`);
    return `${lines.join("\n")}\n`;
  }

  /** The run is gone through again, and the machine is then where it was. */
  why(word: string): string {
    const frame = numberOf(word, "a frame");
    const { model, layout } = this.known;
    const { control, images, tasks } = this.parts;
    if (images === undefined) throw new Refused("what was booted is not known");
    const { frames } = this.view();
    if (frame >= frames) return `frame ${hex(frame)}: there are ${frames} frames\n`;
    const programs = programsOf(images.modules);
    const names = new Map(tasks.list().map(({ thread, name }) => [thread, name]));
    const { history } = control;
    const explanation = control.elsewhere(() =>
      explainFrame({ history, layout, kernel: images.kernel, programs }, frame),
    );
    return explanationLines(explanation, names, model.kindNames)
      .map((line) => `${line}\n`)
      .join("");
  }

  tlb(): string {
    const entries = this.machine.tlbEntries().sort((a, b) => a.linear - b.linear);
    if (entries.length === 0) return "the TLB is empty\n";
    return entries
      .map(({ linear, physical, bytes, writable, user, dirty, global }) => {
        const flags = `${user ? "u" : "-"}${writable ? "w" : "r"}${dirty ? "d" : "-"}${global ? "g" : "-"}`;
        return `${hex8(linear)} -> ${hex8(physical)} ${bytes === 4096 ? "4K" : "4M"} ${flags}\n`;
      })
      .join("");
  }

  pages(): string {
    if (this.machine.cpu.control(0) < PAGING) throw new Refused("paging is still off");
    const who = this.task === undefined ? "" : `${this.task.name}, `;
    const lines = [`${who}directory ${hex(this.directory >>> 12)}`];
    for (const { start, end, flags, large } of ranges(this.words, this.directory)) {
      lines.push(
        `${hex8(start)}-${hex8(end - 1)} ${String((end - start) / 1024).padStart(7)}K ${flags}${large ? " 4M" : ""}`,
      );
    }
    return `${lines.join("\n")}\n`;
  }

  vmstat(): string {
    const { layout, model } = this.known;
    const at = layout.constants["mm/vmstat/vmstat"];
    const word = (address: number): number => this.words[(address - model.constants.kernelBase) >>> 2] ?? 0;
    if (at === undefined) throw new Refused("this kernel's layout has no counters");
    const rows = Object.entries(layout.structs.VmStat?.fields ?? {}).map(
      ([name, { offset }]) => [name, word(at + offset)] as const,
    );
    const kinds = model.kindNames.map(
      (name, kind) => [`frames ${name}`, word(model.constants.framesInUse + 4 * kind)] as const,
    );
    const width = Math.max(...[...rows, ...kinds].map(([name]) => name.length));
    return [...rows, ...kinds.slice(1)].map(([name, value]) => `${name.padEnd(width)} ${value}\n`).join("");
  }

  audit(): string {
    const { layout } = this.known;
    const auditor = new Auditor(this.machine, layout);
    const findings = auditor.audit();
    if (findings.length > 0) return findings.map((finding) => `${auditor.describe(finding)}\n`).join("");
    const { tables, shared, frames, ptes, processes } = auditor.summary();
    return `in order: ${processes.length} address spaces, ${tables} tables (${shared} shared), ${frames} frames mapped by ${ptes} ptes\n`;
  }

  instret(): string {
    const { machine } = this;
    const { control } = this.parts;
    const { beginning, frontier } = control.history;
    return `instret ${machine.instret}, cycles ${Math.floor(machine.cycles)}; known from ${beginning} to ${frontier}\n`;
  }

  seek(word: string): Progress {
    return this.parts.control.seek(numberOf(word, "an instruction count"));
  }

  physical(word: string): string {
    this.parts.memory.physical = choice(word, "on", "off", this.parts.memory.physical);
    return `addresses are ${this.parts.memory.physical ? "physical" : "linear"}\n`;
  }

  traps(word: string): string {
    this.stepsIntoTraps = choice(word, "into", "over", this.stepsIntoTraps);
    return `a step in user mode goes ${this.stepsIntoTraps ? "into" : "over"} traps\n`;
  }

  everywhere(word: string): string {
    this.parts.stops.everywhere = choice(word, "on", "off", this.parts.stops.everywhere);
    return `breakpoints at user addresses count in ${this.parts.stops.everywhere ? "every process" : "the debugged program only"}\n`;
  }
}

const PAGING = 0x80000000;
const LARGE = 0x80;
const MOST_ENTRIES = 10_000;

function knownModel(layout: KernelLayout): Model | undefined {
  try {
    return modelOf(layout);
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}

function numberOf(word: string, what: string): number {
  const value = Number(word);
  if (word === "" || !Number.isInteger(value) || value < 0)
    throw new Refused(`it wants ${what}: ${word || "nothing was given"}`);
  return value;
}

function choice(word: string, yes: string, no: string, present: boolean): boolean {
  if (word === "") return present;
  if (word !== yes && word !== no) throw new Refused(`it wants ${yes} or ${no}, not ${word}`);
  return word === yes;
}

function hex8(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

function whom(sharers: readonly Space[]): string {
  return sharers.map(({ pid, name }) => `${pid} ${name}`).join(", ");
}

function describeTable({ frame, slot, sharers }: Table): string {
  const start = slot * SLOT_BYTES;
  return `slot ${slot} (${hex8(start)}-${hex8(start + SLOT_BYTES - 1)}) table ${hex(frame)} users ${sharers.length}: ${whom(sharers)}`;
}

/** What the kernel counts of a table. */
function countsOf(view: View, { frame }: Table): string {
  const { TablePage } = view.model.fields;
  const page = view.page(frame);
  const word = (name: keyof typeof TablePage): number => view.words[page + TablePage[name]];
  return `present ${word("present")}, swapped ${word("swapped")}, locked ${word("locked")}`;
}

/** A pte by its kernel address: where it maps, and for whom. */
function describeEntry(view: View, address: number): string {
  const physical = address - view.model.constants.kernelBase;
  const index = view.tableOf[physical >>> 12] ?? -1;
  if (physical < 0 || index < 0) return `${hex(address)}, which is in no table`;
  const { frame, slot, sharers } = view.tables[index];
  const linear = slot * SLOT_BYTES + ((physical >>> 2) & 1023) * 4096;
  const pte = view.words[physical >>> 2];
  return `${hex8(linear)} by pte ${hex(pte)} ${flagsOf(pte)} at ${hex(address)} in table ${hex(frame)}: ${whom(sharers)}`;
}

/** Present, user, writable, accessed, dirty. */
function flagsOf(entry: number): string {
  const flag = (bit: number, letter: string): string => ((entry & bit) !== 0 ? letter : "-");
  return flag(1, "p") + flag(4, "u") + ((entry & 2) !== 0 ? "w" : "r") + flag(0x20, "a") + flag(0x40, "d");
}
