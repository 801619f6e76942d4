/**
 * Loads of segment registers (MOV, POP, LDS and its kin), LLDT LTR SLDT STR, LGDT LIDT SGDT SIDT, and the questions LAR LSL
 * VERR VERW ARPL. May import compile/, operand.ts, stack.ts, memory.ts, segmentation.ts, realmode.ts, eflags.ts,
 * faults.ts, registers.ts, types.
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, sections 5.7 and 5.10 (pointer validation).
 */
import type { Cpu } from "../cpu";
import { setZero } from "../eflags";
import { faulted, generalProtection, invalidOpcode, raise, Vector } from "../faults";
import { Segment } from "../instruction";
import { finishWrite, put16 } from "../memory";
import type { Handler, Operation } from "../operation";
import { realAddressing } from "../realmode";
import { Attention, Layout, LDTR, TR, Word } from "../registers";
import {
  clearSegment,
  Descriptor,
  fetchDescriptor,
  fillSegment,
  isNull,
  loadSegment,
  markDescriptor,
  readDescriptor,
  SystemType,
  selectorError,
} from "../segmentation";
import { operandRead, operandReadBehind, operandWrite } from "./operand";
import { moveStack, stackRead } from "./stack";

/** CPL 0 or #GP(0). */
export function privileged(cpu: Cpu): boolean {
  if (cpu.r[Word.Cpl] === 0) return true;
  generalProtection(cpu, 0);
  return false;
}

/** Loads a segment register as MOV and POP do: after SS, the next instruction runs without interrupts. */
function load(cpu: Cpu, segment: number, selector: number): boolean {
  const short = segment !== Segment.SS && cpu.runtime.loadFlat(segment, selector) !== 0;
  if (!short && !loadSegment(cpu, segment, selector)) return false;
  if (segment === Segment.SS) cpu.r[Word.Attention] |= Attention.StackShadow;
  return true;
}

/** LDS LES LFS LGS LSS: an offset and then a selector from memory, each checked as it is read. */
function loadFar(segment: number, size: number): Handler {
  return (cpu, op) => {
    const first = operandRead(cpu, op, size);
    if (first < 0) return;
    const offset = size === 4 ? cpu.view.getInt32(first, true) : cpu.view.getInt16(first, true);
    const second = operandReadBehind(cpu, op, size, 2);
    if (second < 0 || !loadSegment(cpu, segment, cpu.view.getUint16(second, true))) return;
    if (size === 4) cpu.r[op.destination] = offset;
    else cpu.r16[op.destination] = offset;
  };
}

function farLoads(name: string, segment: number): [string, Handler][] {
  return [
    [`${name} r4 mf4`, loadFar(segment, 4)],
    [`${name} r2 mf2`, loadFar(segment, 2)],
  ];
}

/** LGDT, LIDT. With 16-bit operands the base has 24 bits. */
function loadTable(cpu: Cpu, op: Operation, word: number): void {
  if (!privileged(cpu)) return;
  const at = operandRead(cpu, op, 6);
  if (at < 0) return;
  cpu.r[word + 1] = cpu.view.getUint16(at, true);
  cpu.r[word] = cpu.view.getInt32(at + 2, true) & (op.operandSize === 2 ? 0xffffff : -1);
}

/** SGDT, SIDT. */
function storeTable(cpu: Cpu, op: Operation, word: number): void {
  const at = operandWrite(cpu, op, 6);
  if (at < 0) return;
  cpu.view.setInt16(at, cpu.r[word + 1], true);
  cpu.view.setInt32(at + 2, cpu.r[word], true);
  if (at < Layout.Ram) finishWrite(cpu, at);
}

const descriptor = new Descriptor();

/** #UD in real and in virtual-8086 mode. */
function protectedMode(cpu: Cpu): boolean {
  if (!realAddressing(cpu.r)) return true;
  invalidOpcode(cpu);
  return false;
}

function protectedAndPrivileged(cpu: Cpu): boolean {
  return protectedMode(cpu) && privileged(cpu);
}

function loadLdt(cpu: Cpu, selector: number): void {
  if (isNull(selector)) {
    clearSegment(cpu, LDTR, selector);
    return;
  }
  if ((selector & 4) !== 0) {
    generalProtection(cpu, selectorError(selector));
    return;
  }
  if (!fetchDescriptor(cpu, selector, descriptor)) return;
  if (descriptor.systemType !== SystemType.Ldt) {
    generalProtection(cpu, selectorError(selector));
    return;
  }
  if (!descriptor.present) {
    raise(cpu, Vector.NotPresent, selectorError(selector));
    return;
  }
  fillSegment(cpu, LDTR, selector, descriptor);
}

/** Marks the task's descriptor busy. */
function loadTask(cpu: Cpu, selector: number): void {
  if (isNull(selector)) {
    generalProtection(cpu, 0);
    return;
  }
  if ((selector & 4) !== 0) {
    generalProtection(cpu, selectorError(selector));
    return;
  }
  if (!fetchDescriptor(cpu, selector, descriptor)) return;
  const type = descriptor.systemType;
  if (type !== SystemType.Tss32 && type !== SystemType.Tss16) {
    generalProtection(cpu, selectorError(selector));
    return;
  }
  if (!descriptor.present) {
    raise(cpu, Vector.NotPresent, selectorError(selector));
    return;
  }
  if (!markDescriptor(cpu, descriptor, SystemType.Tss16Busy ^ SystemType.Tss16)) return;
  fillSegment(cpu, TR, selector, descriptor);
}

/** A 16-bit source operand's handler pair: from a register and from memory, which is read only where `may` lets it. */
function wordForms(
  name: string,
  may: (cpu: Cpu) => boolean,
  apply: (cpu: Cpu, value: number) => void,
): [string, Handler][] {
  return [
    [
      `${name} r2`,
      (cpu, op) => {
        if (may(cpu)) apply(cpu, cpu.r16[op.destination]);
      },
    ],
    [
      `${name} m2`,
      (cpu, op) => {
        if (!may(cpu)) return;
        const at = operandRead(cpu, op, 2);
        if (at >= 0) apply(cpu, cpu.view.getUint16(at, true));
      },
    ],
  ];
}

/** SLDT, STR. */
function storeForms(name: string, segment: number): [string, Handler][] {
  return [
    [
      `${name} r4`,
      (cpu, op) => {
        if (protectedMode(cpu)) cpu.r[op.destination] = cpu.r[Word.Selector + segment];
      },
    ],
    [
      `${name} r2`,
      (cpu, op) => {
        if (protectedMode(cpu)) cpu.r16[op.destination] = cpu.r[Word.Selector + segment];
      },
    ],
    [
      `${name} m2`,
      (cpu, op) => {
        if (!protectedMode(cpu)) return;
        const at = operandWrite(cpu, op, 2);
        if (at >= 0) put16(cpu, at, cpu.r[Word.Selector + segment]);
      },
    ],
  ];
}

export const SEGMENTS: Readonly<Record<string, Handler>> = {
  "mov s r2"(cpu, op) {
    load(cpu, op.reg, cpu.r16[op.source]);
  },
  "mov s m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) load(cpu, op.reg, cpu.view.getUint16(at, true));
  },
  "mov r4 s"(cpu, op) {
    cpu.r[op.destination] = cpu.r[Word.Selector + op.reg];
  },
  "mov r2 s"(cpu, op) {
    cpu.r16[op.destination] = cpu.r[Word.Selector + op.reg];
  },
  "mov m2 s"(cpu, op) {
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, cpu.r[Word.Selector + op.reg]);
  },
  // Two bytes are read whatever the operand size (volume 3, 22.31.1). The stack pointer moves in the stack that they were read
  // from, also when SS is popped.
  "pop s"(cpu, op) {
    const at = stackRead(cpu, op, 0, 2);
    if (at < 0) return;
    const selector = cpu.view.getUint16(at, true);
    const esp = cpu.r[4];
    moveStack(cpu, op, op.operandSize);
    if (!load(cpu, op.reg, selector)) cpu.r[4] = esp;
  },
  ...Object.fromEntries([
    ...farLoads("les", Segment.ES),
    ...farLoads("lds", Segment.DS),
    ...farLoads("lss", Segment.SS),
    ...farLoads("lfs", Segment.FS),
    ...farLoads("lgs", Segment.GS),
    ...wordForms("lldt", protectedAndPrivileged, loadLdt),
    ...wordForms("ltr", protectedAndPrivileged, loadTask),
    ...storeForms("sldt", LDTR),
    ...storeForms("str", TR),
  ]),
  "lgdt m6"(cpu, op) {
    loadTable(cpu, op, Word.GdtBase);
  },
  "lidt m6"(cpu, op) {
    loadTable(cpu, op, Word.IdtBase);
  },
  "sgdt m6"(cpu, op) {
    storeTable(cpu, op, Word.GdtBase);
  },
  "sidt m6"(cpu, op) {
    storeTable(cpu, op, Word.IdtBase);
  },
};

/** Reads a selector's descriptor where the present privilege and RPL may see it; false also with a fault raised. */
function visible(cpu: Cpu, selector: number): boolean {
  if (isNull(selector) || !readDescriptor(cpu, selector, descriptor)) return false;
  return descriptor.isConforming || descriptor.dpl >= Math.max(cpu.r[Word.Cpl], selector & 3);
}

/** System types that LAR and LSL accept, as masks of the four type bits. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LSL_TYPES = 0b0000_1010_0000_1110;

function hasType(types: number): boolean {
  return descriptor.notSystem || ((types >> (descriptor.systemType >> 8)) & 1) !== 0;
}

/** LAR and LSL: false when ZF is clear now, or a fault is raised. */
function question(cpu: Cpu, selector: number, types: number): boolean {
  const answer = visible(cpu, selector) && hasType(types);
  if (!faulted(cpu)) setZero(cpu.r, answer);
  return answer;
}

function accessRights(cpu: Cpu, selector: number): number | null {
  return question(cpu, selector, LAR_TYPES) ? descriptor.high & 0xf0ff00 : null;
}

function segmentLimit(cpu: Cpu, selector: number): number | null {
  return question(cpu, selector, LSL_TYPES) ? descriptor.limit : null;
}

function questionForms(name: string, ask: (cpu: Cpu, selector: number) => number | null): [string, Handler][] {
  const answer = (cpu: Cpu, op: Operation, selector: number): void => {
    const value = ask(cpu, selector);
    if (value === null) return;
    if (op.operandSize === 4) cpu.r[op.destination] = value;
    else cpu.r16[op.destination] = value;
  };
  const fromMemory: Handler = (cpu, op) => {
    if (!protectedMode(cpu)) return;
    const at = operandRead(cpu, op, 2);
    if (at >= 0) answer(cpu, op, cpu.view.getUint16(at, true));
  };
  const fromRegister: Handler = (cpu, op) => {
    if (protectedMode(cpu)) answer(cpu, op, cpu.r16[op.source]);
  };
  return [
    [`${name} r4 r2`, fromRegister],
    [`${name} r4 m2`, fromMemory],
    [`${name} r2 r2`, fromRegister],
    [`${name} r2 m2`, fromMemory],
  ];
}

/** VERR, VERW. */
function verify(write: boolean): (cpu: Cpu, selector: number) => void {
  return (cpu, selector) => {
    const answer = visible(cpu, selector) && (write ? descriptor.isWritableData : descriptor.isReadable);
    if (!faulted(cpu)) setZero(cpu.r, answer);
  };
}

export const PRIVILEGE_CHECKS: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries([
    ...questionForms("lar", accessRights),
    ...questionForms("lsl", segmentLimit),
    ...wordForms("verr", protectedMode, verify(false)),
    ...wordForms("verw", protectedMode, verify(true)),
  ]),
  "arpl r2 r2"(cpu, op) {
    if (!protectedMode(cpu)) return;
    const { r16 } = cpu;
    const rpl = r16[op.source] & 3;
    const raised = (r16[op.destination] & 3) < rpl;
    if (raised) r16[op.destination] = (r16[op.destination] & ~3) | rpl;
    setZero(cpu.r, raised);
  },
  "arpl m2 r2"(cpu, op) {
    if (!protectedMode(cpu)) return;
    const from = operandRead(cpu, op, 2);
    if (from < 0) return;
    const rpl = cpu.r16[op.source] & 3;
    const value = cpu.view.getUint16(from, true);
    const raised = (value & 3) < rpl;
    if (raised) {
      // Only then must it be writable.
      const to = operandWrite(cpu, op, 2);
      if (to < 0) return;
      put16(cpu, to, (value & ~3) | rpl);
    }
    setZero(cpu.r, raised);
  },
};
