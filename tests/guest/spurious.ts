/**
 * What the host does for userland/tests/spurious.ts, behind the back of a machine that runs: at one mark of the guest it sets W in a
 * pte, as if somebody had served the fault already while the TLB still holds the translation without it (P17); at another it
 * clears the accessed bits of a table, as if nobody had used its pages (P22). May import guest, kernel/abi.
 */
import { EventKind, type Machine } from "../../cpu/index";
import { Mark, Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../../tools/image/build";
import { type GuestOptions, type GuestRun, type Mode, runGuest, testCommandLine } from "./guest";

/** The guest's memory, and the page of it that it writes at the first mark. */
const PLACE = 0x60000000;
const PAGE_ADDRESS = PLACE + 0x1000;
const marked = (tag: number) => (Mark.RegionBegin << 24) | (Region.FirstWrite << 16) | tag;
const SET_WRITABLE = marked(17);
const CLEAR_ACCESSED = marked(22);
const PTE_WRITABLE = 2;
const PTE_ACCESSED = 0x20;
/** Instructions of a run: far more than it takes, unless it faults for ever. */
const BUDGET = 5e7;

/** Physical address of the entry for a linear address in the directory in CR3: of its table's first pte, and of its pte. */
function entriesOf(machine: Machine, linear: number): { table: number; pte: number } {
  const { ram } = machine.cpu;
  const words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
  const table = words[((machine.registers.cr3 & ~0xfff) >>> 2) + (linear >>> 22)] & ~0xfff;
  return { table, pte: table + ((linear >>> 12) & 1023) * 4 };
}

/** Does what the guest asks for at a mark. */
function help(machine: Machine, value: number): void {
  const { ram } = machine.cpu;
  if (value === SET_WRITABLE) ram[entriesOf(machine, PAGE_ADDRESS).pte] |= PTE_WRITABLE;
  if (value !== CLEAR_ACCESSED) return;
  const { table } = entriesOf(machine, PLACE);
  for (let pte = table; pte < table + 4096; pte += 4) ram[pte] &= ~PTE_ACCESSED;
}

/** Runs the guest program with the host's help. */
export function runWithHelp(built: BuiltAll, mode: Mode, others: Partial<GuestOptions> = {}): GuestRun {
  const commandLine = testCommandLine(mode, "spurious", "host");
  const { onMachine } = others;
  return runGuest(built, {
    maxInstructions: BUDGET,
    ...others,
    commandLine,
    onMachine: (machine) => {
      machine.onEvent(({ a }) => help(machine, a), [EventKind.Mark]);
      onMachine?.(machine);
    },
  });
}
