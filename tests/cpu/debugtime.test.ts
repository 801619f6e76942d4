/** Breakpoints that nothing hits change how code runs, one by one and by slow paths, and nothing that a guest can count or see. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refreshBreakpoints } from "../../cpu/debug";
import { Machine } from "../../cpu/index";
import { Word } from "../../cpu/registers";
import { crc32 } from "../../tools/audit/crc32";
import { MEMORY_MB } from "../bench/guests/frame";
import { GUESTS, imageOf } from "../bench/guests/index";

const test = suite("cpu/debugtime");

/** Guests by name and operations: some hundred thousand instructions each. */
const RUNS: Readonly<Record<string, number>> = {
  mix: 2,
  loadstore: 10000,
  movs4k: 100,
  faults: 1000,
  cr3: 1000,
  int80full: 1000,
  forktable: 10,
};
/** DR7 with breakpoint 0 enabled on execution, and on reads and writes of 4 bytes. */
const CONTROLS = [0x00000401, 0x000f0401];
/** At the top of the address space: no guest's code or data lies there, so that the breakpoint is armed and never hit. */
const NOWHERE = 0xfffffff0 | 0;

function runOf(image: Uint8Array, control: number): number[] {
  const machine = new Machine({ memoryMB: MEMORY_MB });
  machine.loadMultiboot(image);
  const { cpu } = machine;
  cpu.r[Word.Dr0] = NOWHERE;
  cpu.r[Word.Dr7] = control;
  refreshBreakpoints(cpu);
  assert.equal(machine.run({ maxInstructions: 1e8 }), { reason: "exit", value: 0 });
  assert.is(cpu.r[Word.ReadBit] === 0, (control & 0xff) !== 0, "the breakpoint is still armed");
  return [machine.instret, machine.cycles, crc32(machine.readPhysical(0, MEMORY_MB << 20))];
}

for (const guest of GUESTS) {
  const operations = RUNS[guest.name];
  if (operations === undefined) continue;
  test(`${guest.name}: the same to the digit`, async () => {
    const image = await imageOf(guest, operations, Math.max(1, operations >>> 2));
    const plain = runOf(image, 0x400);
    assert.ok(plain[0] > 10_000, String(plain));
    for (const control of CONTROLS) assert.equal(runOf(image, control), plain, control.toString(16));
  });
}

test.run();
