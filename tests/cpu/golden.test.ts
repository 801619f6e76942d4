/**
 * Golden runs: what the benchmark's guests took, and the memory that they left, on the interpreter of COST_VERSION 1 before anything
 * was made faster. Engines come and go; none may change instret or cycles by one, nor a byte of memory. A row whose image has changed
 * (the compiler makes other code, a guest is another) is recorded anew with the engine of then: the test prints the new row.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { COMPILE_AFTER } from "../../cpu/compile/region";
import { COST_VERSION } from "../../cpu/costs";
import { Machine } from "../../cpu/index";
import { crc32 } from "../../tools/audit/crc32";
import { MEMORY_MB } from "../bench/guests/frame";
import { GUESTS, imageOf } from "../bench/guests/index";

const test = suite("cpu/golden");

interface Golden {
  operations: number;
  /** CRC-32 of the image. */
  image: number;
  instret: number;
  cycles: number;
  /** CRC-32 of RAM at the end. */
  memory: number;
}

const GOLDEN: Readonly<Record<string, Golden>> = {
  alu: { operations: 40000, image: 2609630291, instret: 820852, cycles: 979723, memory: 3998129603 },
  sieve: { operations: 4, image: 342993776, instret: 5427608, cycles: 8203426, memory: 2209361664 },
  mix: { operations: 5, image: 3619643835, instret: 522265, cycles: 909091, memory: 812235891 },
  loadstore: { operations: 40000, image: 3772173510, instret: 620843, cycles: 948681, memory: 3546696205 },
  movs4k: { operations: 2000, image: 4262307316, instret: 2611088, cycles: 5206149, memory: 741999117 },
  movs1m: { operations: 6, image: 3180555233, instret: 1866153, cycles: 3756777, memory: 4141365779 },
  stos4k: { operations: 4000, image: 3427250731, instret: 5181089, cycles: 5221131, memory: 1651145739 },
  stos1m: { operations: 20, image: 1419775044, instret: 6584838, cycles: 6667066, memory: 1545718923 },
  faults: { operations: 2000, image: 3986537511, instret: 78956, cycles: 402232, memory: 2321177260 },
  cr3: { operations: 2000, image: 591802591, instret: 70871, cycles: 625181, memory: 351238524 },
  int80: { operations: 3000, image: 3993229626, instret: 47100, cycles: 322294, memory: 1769569229 },
  int80full: { operations: 3000, image: 2445912023, instret: 148349, cycles: 554794, memory: 2378484371 },
  forktable: { operations: 20, image: 1978108622, instret: 386596, cycles: 635289, memory: 3882094193 },
};

for (const guest of GUESTS) {
  const { name } = guest;
  test(`${name}: instret, cycles and memory to the digit`, async () => {
    assert.is(COST_VERSION, 1, "another cost table: record all rows anew");
    const { operations } = GOLDEN[name] ?? { operations: Math.max(4, guest.operations / 100) };
    const image = await imageOf(guest, operations, Math.max(1, operations >>> 2));
    // Interpreted, compiled as it comes, and with every block compiled before its first run.
    for (const compileAfter of [Infinity, COMPILE_AFTER, 0]) {
      const machine = new Machine({ memoryMB: MEMORY_MB, compileAfter });
      machine.loadMultiboot(image);
      const stop = machine.run({ maxInstructions: 1e8 });
      assert.equal(stop, { reason: "exit", value: 0 });
      const memory = crc32(machine.readPhysical(0, MEMORY_MB << 20));
      const row = { operations, image: crc32(image), instret: machine.instret, cycles: machine.cycles, memory };
      const text = `the row of this run, compiled after ${compileAfter}: ${name}: ${JSON.stringify(row)},`;
      assert.equal(row, GOLDEN[name], text);
    }
  });
}

test.run();
