/**
 * What the host does for userland/tests/spurious.ts: the guest program marks a moment at which its TLB holds a translation
 * without W; the machine is stopped there, W is set in the pte in memory, as if somebody had served the fault already, and
 * the guest's write goes on into the stale translation. May import guest, kernel/abi.
 */
import { Mark, Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../../tools/image/build";
import { type GuestOptions, type GuestRun, type Mode, machineFor, runGuest, testCommandLine } from "./guest";

/** The page that the guest writes: the second one of its memory, and its mark. */
const PAGE_ADDRESS = 0x60001000;
const MOMENT = (Mark.RegionBegin << 24) | (Region.FirstWrite << 16) | 17;
const PTE_WRITABLE = 2;
/** Instructions for the rest of the run: far more than it takes, unless it faults for ever. */
const REST = 2e7;

/** Instructions retired when the OUT of the mark begins. Throws when it never does. */
function momentOf(built: BuiltAll, options: GuestOptions): number {
  let moment = 0;
  const onMark = (value: number, instret: number) => {
    if (value === MOMENT) moment ||= instret;
  };
  const { output } = runGuest(built, { ...options, onMark });
  if (moment === 0) throw new Error(`the guest never marked the moment:\n${output}`);
  return moment;
}

function word(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Runs the guest program with the host's help. Throws when the pte is not as the guest should have left it. */
export function runWithHelp(built: BuiltAll, mode: Mode, others: Partial<GuestOptions> = {}): GuestRun {
  const options = { ...others, commandLine: testCommandLine(mode, "spurious", "host") };
  const moment = momentOf(built, options);
  const { machine, output } = machineFor(built, options);
  machine.run({ maxInstructions: moment + 1 });
  const pdeAddress = (machine.registers.cr3 & ~0xfff) + (PAGE_ADDRESS >>> 22) * 4;
  const pde = word(machine.readPhysical(pdeAddress, 4));
  const pteAddress = (pde & ~0xfff) + ((PAGE_ADDRESS >>> 12) & 1023) * 4;
  const pte = word(machine.readPhysical(pteAddress, 4));
  if ((pte & PTE_WRITABLE) !== 0) throw new Error("the pte has W before the host sets it");
  machine.writePhysical(pteAddress, Uint8Array.of((pte & 0xff) | PTE_WRITABLE));
  const stop = machine.run({ maxInstructions: REST });
  return { output: output(), stop, instret: machine.instret, cycles: machine.cycles };
}
