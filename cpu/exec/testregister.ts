/**
 * MOV to and from the test registers of the 386 (TR6, TR7) and 486 (TR3 to TR7); later models have none (model.ts).
 * A look-up by TR6 answers from the charged TLB, the only one that a guest can see: TR7 has the page's frame and PL set on a hit.
 * A write of an entry by TR6 is let be, since the charged TLB's contents are the cost table's business; so are the cache's test
 * registers, TR3 to TR5, which hold what is put there. May import segment.ts, registers.ts, tlb.ts (constants), types.
 * Source: 80386 Programmer's Reference Manual, 1986, section 10.6 (TLB testing).
 */
import type { Cpu } from "../cpu";
import type { Handler } from "../operation";
import { Word } from "../registers";
import { Entry } from "../tlb";
import { privileged } from "./segment";

const TR3 = 3;
const TR6 = 6;
/** TR6: look up, and not write. TR7: the look-up hit. */
const COMMAND_LOOK_UP = 1;
const HIT = 0x10;
const FRAME = 0xfffff000 | 0;

function testWord(register: number): number {
  return Word.Tr3 + register - TR3;
}

/** What TR7 says after a look-up of the page that TR6 names. */
function lookUp(cpu: Cpu, linear: number): number {
  const slot = cpu.tlb.findSmall(linear);
  return slot < 0 ? 0 : (cpu.tlb.smallEntries[slot] & Entry.Frame) | HIT;
}

export const TEST_REGISTERS: Readonly<Record<string, Handler>> = {
  "mov r4 t"(cpu, op) {
    if (privileged(cpu)) cpu.r[op.destination] = cpu.r[testWord(op.reg)];
  },
  "mov t r4"(cpu, op) {
    if (!privileged(cpu)) return;
    const { r } = cpu;
    const value = r[op.source];
    r[testWord(op.reg)] = value;
    if (op.reg === TR6 && (value & COMMAND_LOOK_UP) !== 0) r[testWord(TR6 + 1)] = lookUp(cpu, value & FRAME);
  },
};
