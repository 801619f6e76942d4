/**
 * Far JMP and CALL: direct, through call gates, to tasks. May import codesegment.ts, operand.ts, stack.ts, interrupts.ts,
 * tasks.ts, stackswitch.ts, segmentation.ts, realmode.ts, memory.ts, faults.ts, registers.ts, types.
 * Everything is checked and translated before the first change (for tasks: tasks.ts).
 * Source: Intel SDM volume 2, under each mnemonic; volume 3, section 5.8 (privilege at transfers).
 */
import type { Cpu } from "../cpu";
import { generalProtection } from "../faults";
import { Segment } from "../instruction";
import { transferToTask } from "../interrupts";
import { finishWrite } from "../memory";
import type { Handler, Operation } from "../operation";
import { realAddressing } from "../realmode";
import { Layout, Register, Time, Word } from "../registers";
import { Descriptor, SystemType, selectorError, stackPointer, TYPE_MASK } from "../segmentation";
import { TargetStack } from "../stackswitch";
import { TaskEntry } from "../tasks";
import { enterable, present, putWord, resolve, setCode, setRealCode, withinRealCode, word } from "./codesegment";
import { checkedRead, operandRead, operandReadBehind } from "./operand";
import { moveStack, stackWriteParts } from "./stack";

const CS = Segment.CS;
const SS = Segment.SS;
const ESP = Register.ESP;

const target = new Descriptor();
const gate = new Descriptor();
const callStack = new TargetStack();

/** Checks a code segment as the direct target of JMP or CALL, all but EIP: it runs at the present level. */
function directTarget(cpu: Cpu, selector: number): boolean {
  const cpl = cpu.r[Word.Cpl];
  const fits = target.isConforming ? target.dpl <= cpl : (selector & 3) <= cpl && target.dpl === cpl;
  if (!fits) {
    generalProtection(cpu, selectorError(selector));
    return false;
  }
  return present(cpu, target, selector);
}

/** Whether CPL and RPL allow the gate or TSS in `target`; #GP(selector) is raised where they do not. */
function privileged(cpu: Cpu, selector: number): boolean {
  if (target.dpl >= Math.max(cpu.r[Word.Cpl], selector & 3)) return true;
  generalProtection(cpu, selectorError(selector));
  return false;
}

/**
 * Goes to the task whose TSS or task gate is in `target`. False: it is something else, and nothing is done. A busy TSS is
 * no target.
 */
function toTask(cpu: Cpu, selector: number, entry: TaskEntry): boolean {
  const type = target.systemType;
  if (type === SystemType.Tss32 || type === SystemType.Tss16) {
    if (privileged(cpu, selector)) transferToTask(cpu, selector, entry);
    return true;
  }
  if (type !== SystemType.TaskGate) return false;
  if (privileged(cpu, selector) && present(cpu, target, selector)) transferToTask(cpu, target.low >>> 16, entry);
  return true;
}

/**
 * Reads the call gate that is in `target` into `gate`, and its code segment into `target`. False: a fault is raised. What is
 * no gate is #GP.
 */
function throughGate(cpu: Cpu, selector: number): boolean {
  const type = target.systemType;
  if (type !== SystemType.CallGate32 && type !== SystemType.CallGate16) {
    generalProtection(cpu, selectorError(selector));
    return false;
  }
  if (!privileged(cpu, selector) || !present(cpu, target, selector)) return false;
  gate.low = target.low;
  gate.high = target.high;
  const code = gate.low >>> 16;
  if (!resolve(cpu, code, target)) return false;
  if (!target.isCode || target.dpl > cpu.r[Word.Cpl]) {
    generalProtection(cpu, selectorError(code));
    return false;
  }
  return true;
}

function gateIsWide(): boolean {
  return (gate.high & TYPE_MASK) === SystemType.CallGate32;
}
function gateOffset(): number {
  return (gate.low & 0xffff) | (gateIsWide() ? gate.high & 0xffff0000 : 0);
}

function farJump(cpu: Cpu, selector: number, offset: number): void {
  if (realAddressing(cpu.r)) {
    if (withinRealCode(cpu, offset)) setRealCode(cpu, selector, offset);
    return;
  }
  if (!resolve(cpu, selector, target)) return;
  const cpl = cpu.r[Word.Cpl];
  if (target.isCode) {
    if (directTarget(cpu, selector) && enterable(cpu, target, offset)) setCode(cpu, selector, cpl, target, offset);
    return;
  }
  if (toTask(cpu, selector, TaskEntry.Jump) || !throughGate(cpu, selector)) return;
  const code = gate.low >>> 16;
  // A jump changes no ring.
  if (!target.isConforming && target.dpl !== cpl) {
    generalProtection(cpu, selectorError(code));
    return;
  }
  if (present(cpu, target, code) && enterable(cpu, target, gateOffset())) {
    setCode(cpu, code, cpl, target, gateOffset());
  }
}

/** Pushes CS and EIP on the present stack; false when it faulted. */
function pushReturn(cpu: Cpu, op: Operation, size: number): boolean {
  const { r, view } = cpu;
  const at = stackWriteParts(cpu, op, -2 * size, size, 2);
  if (at < 0) return false;
  putWord(view, at + size, size, r[Word.Selector + CS]);
  putWord(view, at, size, r[Word.Eip]);
  if (at < Layout.Ram) finishWrite(cpu, at);
  moveStack(cpu, op, -2 * size);
  return true;
}

/** The last checks of a call within the ring, room for the return address before EIP, and its push; false when it faulted. */
function sameRingCall(cpu: Cpu, op: Operation, size: number, offset: number): boolean {
  // Twice: setting the accessed bit uses the buffer that the frame may be in.
  return (
    stackWriteParts(cpu, op, -2 * size, size, 2) >= 0 && enterable(cpu, target, offset) && pushReturn(cpu, op, size)
  );
}

function farCall(cpu: Cpu, op: Operation, selector: number, offset: number): void {
  const size = op.operandSize;
  if (realAddressing(cpu.r)) {
    if (withinRealCode(cpu, offset) && pushReturn(cpu, op, size)) setRealCode(cpu, selector, offset);
    return;
  }
  if (!resolve(cpu, selector, target)) return;
  const cpl = cpu.r[Word.Cpl];
  if (target.isCode) {
    if (!directTarget(cpu, selector) || !sameRingCall(cpu, op, size, offset)) return;
    setCode(cpu, selector, cpl, target, offset);
    return;
  }
  if (toTask(cpu, selector, TaskEntry.Call) || !throughGate(cpu, selector)) return;
  const code = gate.low >>> 16;
  if (!present(cpu, target, code)) return;
  if (!target.isConforming && target.dpl < cpl) {
    innerCall(cpu, code);
    return;
  }
  if (sameRingCall(cpu, op, gateIsWide() ? 4 : 2, gateOffset())) {
    setCode(cpu, code, cpl, target, gateOffset());
  }
}

/** Most bytes of parameters that a gate copies. */
const parameterBytes = new Uint8Array(31 * 4);

/** A call through the gate in `gate` to the inner ring of `target`: SS, ESP, parameters, CS and EIP on the new stack. */
function innerCall(cpu: Cpu, selector: number): void {
  const { r, view, bytes } = cpu;
  const size = gateIsWide() ? 4 : 2;
  const level = target.dpl;
  const parameters = (gate.high & 31) * size;
  if (!callStack.useInner(cpu, level, 0)) return;
  if (parameters > 0) {
    const from = checkedRead(cpu, SS, stackPointer(r), parameters);
    if (from < 0) return;
    parameterBytes.set(bytes.subarray(from, from + parameters));
  }
  const frameBytes = 4 * size + parameters;
  // Twice: the room comes before the limit of CS, and setting accessed bits uses the buffer that a frame may be in.
  if (callStack.frame(cpu, frameBytes, size, 0) < 0 || !enterable(cpu, target, gateOffset())) return;
  if (!callStack.setAccessed(cpu)) return;
  const frame = callStack.frame(cpu, frameBytes, size, 0);
  if (frame < 0) return;
  putWord(view, frame + frameBytes - size, size, r[Word.Selector + SS]);
  putWord(view, frame + frameBytes - 2 * size, size, r[ESP]);
  bytes.set(parameterBytes.subarray(0, parameters), frame + 2 * size);
  putWord(view, frame + size, size, r[Word.Selector + CS]);
  putWord(view, frame, size, r[Word.Eip]);
  if (frame < Layout.Ram) finishWrite(cpu, frame);
  callStack.commit(cpu, frameBytes);
  setCode(cpu, selector, level, target, gateOffset());
  cpu.time[Time.Cycles] += cpu.costs.farRingChange;
}

/** Applies a transfer to the far pointer in memory: its offset and then its selector, each checked as it is read. */
function indirect(
  size: number,
  transfer: (cpu: Cpu, op: Operation, selector: number, offset: number) => void,
): Handler {
  return (cpu, op) => {
    const first = operandRead(cpu, op, size);
    if (first < 0) return;
    const offset = word(cpu.view, first, size);
    const second = operandReadBehind(cpu, op, size, 2);
    if (second >= 0) transfer(cpu, op, cpu.view.getUint16(second, true), offset);
  };
}

const jumpTo = (cpu: Cpu, _op: Operation, selector: number, offset: number): void => farJump(cpu, selector, offset);

export const TRANSFERS: Readonly<Record<string, Handler>> = {
  "jmp p"(cpu, op) {
    farJump(cpu, op.immediate2, op.immediate);
  },
  "jmp mf4": indirect(4, jumpTo),
  "jmp mf2": indirect(2, jumpTo),
  "call p"(cpu, op) {
    farCall(cpu, op, op.immediate2, op.immediate);
  },
  "call mf4": indirect(4, farCall),
  "call mf2": indirect(2, farCall),
};
