/** A rig with breakpoints, stopped at traps one after the other, for the tests of them and of single steps. */
import * as assert from "uvu/assert";
import { dreg, sreg } from "../../cpu/encoder";
import { Word } from "../../cpu/registers";
import { EAX, FREE, HANDLER, type Line, Rig, type Trap } from "./rig";

export const SETUP = FREE;
export const CODE = FREE + 0x1000;
export const DATA = FREE + 0x2000;
export const OTHER_STACK = FREE + 0x8000;
export const [DB, NMI, UD, GP, PF, IRQ, DONE] = [1, 2, 6, 13, 14, 0x60, 0x80];
export const [TF, IF, RF] = [0x100, 0x200, 0x10000];
export const [BD, BS] = [0x2000, 0x4000];
export const [EXECUTE, WRITES, PORTS, ACCESSES] = [0, 1, 2, 3];
export const SS_REG = sreg(2);

export interface Breakpoint {
  address: number;
  kind: number;
  bytes?: 1 | 2 | 4 | 8;
  /** L and G. */
  enable?: number;
}

/** A rig whose handlers return, with breakpoints set by the instructions that set them. */
export function armed(breakpoints: readonly Breakpoint[], extra = 0, prepare: (rig: Rig) => void = () => {}): Rig {
  const rig = new Rig();
  prepare(rig);
  rig.code(HANDLER, ["iretd"]);
  let control = 0x300 | extra;
  const lines: Line[] = [];
  for (const [n, { address, kind, bytes = 1, enable = 1 }] of breakpoints.entries()) {
    lines.push(["mov", EAX, address], ["mov", dreg(n), EAX]);
    const length = { 1: 0, 2: 1, 4: 3, 8: 2 }[bytes];
    control |= (enable << (2 * n)) | (kind << (16 + 4 * n)) | (length << (18 + 4 * n));
  }
  rig.code(SETUP, ...lines, ["mov", EAX, control], ["mov", dreg(7), EAX], ["mov", EAX, 0], ["int", DONE]);
  assert.is(rig.run(SETUP)?.vector, DONE);
  rig.ring(0);
  return rig;
}

/** Assembles at CODE, with an INT 0x80 behind, and runs to the first trap. */
export function start(rig: Rig, ...lines: (Line | string)[]): { trap: Trap; labels: Record<string, number> } {
  const labels = rig.code(CODE, ...lines, "done", ["int", DONE]);
  return { trap: rig.run(CODE) as Trap, labels };
}

/** Lets the handler return and runs to the next trap. */
export function next(rig: Rig): Trap {
  return rig.go() as Trap;
}

/** EIP as the last trap's handler finds it. */
export function stoppedAt(rig: Rig): number | undefined {
  return rig.trap?.eip;
}

export function status(rig: Rig): number {
  return rig.cpu.debugRegister(6);
}

/** DR6's bits that were set, which are then cleared. */
export function taken(rig: Rig): number {
  const found = status(rig) & 0xe00f;
  rig.cpu.r[Word.Dr6] = 0xffff0ff0;
  return found;
}

/** EFLAGS as a handler without error code finds them. */
export function pushedFlags(rig: Rig): number {
  return rig.word(rig.cpu.register(4) + 8);
}

export function setPushedFlags(rig: Rig, bits: number): void {
  const address = rig.cpu.register(4) + 8;
  rig.word(address, rig.word(address) | bits);
}
