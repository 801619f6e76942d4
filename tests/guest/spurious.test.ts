/**
 * Property 17: a page fault that finds the tables in order flushes and returns. The guest program marks a moment at which
 * its TLB holds a translation without W; the machine is stopped there, W is set in the pte in memory, as if somebody
 * had served the fault already, and the guest's write goes on into the stale translation.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Mark, Region } from "../../kernel/abi/marks";
import { builtImages, casesOf, MODES, type Mode, machineFor, quoted, runGuest, testCommandLine } from "./guest";

const test = suite("guest/spurious");

/** The page that userland/tests/spurious.ts writes: the second one of its memory, and its mark. */
const PAGE_ADDRESS = 0x60001000;
const MOMENT = (Mark.RegionBegin << 24) | (Region.FirstWrite << 16) | 17;
const PTE_WRITABLE = 2;

const built = await builtImages();

/** Instructions retired when the OUT of the mark begins. */
function momentOf(commandLine: string): number {
  let moment = 0;
  runGuest(built, {
    commandLine,
    onMark: (value, instret) => {
      if (value === MOMENT) moment ||= instret;
    },
  });
  return moment;
}

function word(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function casesWithHelp(mode: Mode) {
  const commandLine = testCommandLine(mode, "spurious", "host");
  const moment = momentOf(commandLine);
  assert.ok(moment > 0, "the guest marks the moment");
  const { machine, output } = machineFor(built, { commandLine });
  assert.is(machine.run({ maxInstructions: moment + 1 }).reason, "budget");
  const pdeAddress = (machine.registers.cr3 & ~0xfff) + (PAGE_ADDRESS >>> 22) * 4;
  const pde = word(machine.readPhysical(pdeAddress, 4));
  const pteAddress = (pde & ~0xfff) + ((PAGE_ADDRESS >>> 12) & 1023) * 4;
  const pte = word(machine.readPhysical(pteAddress, 4));
  assert.is(pte & PTE_WRITABLE, 0, "the pte has no W before");
  machine.writePhysical(pteAddress, Uint8Array.of((pte & 0xff) | PTE_WRITABLE));
  const stop = machine.run({ maxInstructions: 1e8 });
  return casesOf({ output: output(), stop, instret: machine.instret, cycles: machine.cycles });
}

for (const mode of MODES) {
  test(`P17 a spurious fault flushes and returns, fork=${mode}`, () => {
    const cases = casesWithHelp(mode);
    assert.is(cases.length, 1);
    for (const { ok, name, notes } of cases) assert.ok(ok, `${name}\n${quoted(notes.join("\n"))}`);
  });
  test(`without the host's help the guest's test does fail, fork=${mode}`, () => {
    const { output } = runGuest(built, { commandLine: testCommandLine(mode, "spurious", "host") });
    assert.match(output, /^not ok 1 - P17/m);
  });
}

test.run();
