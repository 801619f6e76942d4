/**
 * Steps as bytes, and back: only what does not follow from the steps before (stepmodel.ts). May import stepmodel, bytes, step, code.
 *
 *     tag       Tag's bits: which of these follow
 *     code      number of the instruction
 *     context   instret, pid, ring, CS
 *     before    registers, as differences to those behind the last step
 *     retired
 *     memory    for each operand: what is not as foretold, then linear, physical, value before, value behind
 *     changes   which registers changed, which of them took the first operand's value, by how much the others did
 */
import { AccessKind } from "./accesses";
import type { ByteReader, ByteWriter } from "./bytes";
import type { Code } from "./code";
import { MOST_ACCESSES, REGISTERS, Step } from "./step";
import { changedBy, deltaOf, Now, StepModel } from "./stepmodel";

/** The first byte of a step; a byte from FIRST_OTHER up is no step. */
const enum Tag {
  Code = 1,
  Context = 2,
  Before = 4,
  Retired = 8,
  Interrupted = 16,
  Memory = 32,
  Changes = 64,
}
export const FIRST_OTHER = 0x80;

/** What of an operand follows, beside the way to its value behind in the upper four bits. */
const enum Operand {
  Linear = 1,
  Physical = 2,
  Miss = 4,
  Old = 8,
}

/** Operands of more bytes have no value told. */
const MOST_VALUE_BYTES = 4;

function hasValue(step: Step, access: number, size: number): boolean {
  return size > 0 && size <= MOST_VALUE_BYTES && step.physical[access] >= 0;
}

export class StepEncoder {
  private readonly model = new StepModel();
  private readonly ways = new Uint8Array(MOST_ACCESSES);

  constructor(private readonly out: ByteWriter) {}

  write(step: Step): void {
    const { model, out } = this;
    const { code, before } = step;
    const memory = model.memoryOf(code.id);
    const accesses = Math.min(code.accesses.length, MOST_ACCESSES);
    let tag = 0;
    if (model.expected !== code.id) tag |= Tag.Code;
    const inContext = step.instret === model.instret && step.pid === model.pid && step.ring === model.ring;
    if (!inContext || step.cs !== model.cs) tag |= Tag.Context;
    if (before.some((value, i) => value !== model.registers[i])) tag |= Tag.Before;
    if (step.retired !== 1) tag |= Tag.Retired;
    if (step.interrupted) tag |= Tag.Interrupted;
    model.setRegisters(before);
    for (let i = 0; i < accesses; i++) {
      this.ways[i] = this.wayOf(step, i);
      if (this.differences(step, i) !== 0 || this.ways[i] !== memory.now[i] || this.ways[i] >= Now.Explicit)
        tag |= Tag.Memory;
    }
    const { changed, loaded } = changesOf(step);
    let isSame = changed === memory.changed && loaded === memory.loaded;
    for (let i = 0; i < REGISTERS.length && isSame; i++) {
      if ((changed & ~loaded & (1 << i)) !== 0) isSame = deltaOf(i, before[i], step.after[i]) === memory.deltas[i];
    }
    if (!isSame) tag |= Tag.Changes;

    out.byte(tag);
    if ((tag & Tag.Code) !== 0) out.number(code.id);
    if ((tag & Tag.Context) !== 0) {
      out.signed(step.instret - model.instret);
      out.number(step.pid + 1);
      out.byte(step.ring);
      out.number(step.cs);
    }
    if ((tag & Tag.Before) !== 0)
      for (let i = 0; i < REGISTERS.length; i++) out.signed(deltaOf(i, model.registers[i], before[i]));
    if ((tag & Tag.Retired) !== 0) out.number(step.retired);
    for (let i = 0; i < accesses; i++) this.writeOperand(step, i, (tag & Tag.Memory) !== 0);
    if ((tag & Tag.Changes) !== 0) {
      out.number(changed);
      out.number(loaded);
      for (let i = 0; i < REGISTERS.length; i++) {
        if ((changed & ~loaded & (1 << i)) !== 0) out.signed(deltaOf(i, before[i], step.after[i]));
      }
    }
    noteChanges(model, step, changed, loaded);
    model.follow(step);
  }

  /** Bits of Operand. */
  private differences(step: Step, access: number): number {
    const { model } = this;
    const { size } = step.code.accesses[access];
    let bits = 0;
    if (step.linear[access] !== model.linear(step.code, access)) bits |= Operand.Linear;
    if (step.physical[access] !== model.physical(step.linear[access])) bits |= Operand.Physical;
    if (step.hit[access] === 0) bits |= Operand.Miss;
    if (hasValue(step, access, size) && step.old[access] !== model.value(step.physical[access], size))
      bits |= Operand.Old;
    return bits;
  }

  private wayOf(step: Step, access: number): number {
    const { kind, size } = step.code.accesses[access];
    if (kind === AccessKind.Read || !hasValue(step, access, size)) return Now.Same;
    const now = step.now[access];
    if (now < 0 || step.old[access] < 0) return Now.Untold;
    const preferred = this.model.memoryOf(step.code.id).now[access];
    if (preferred < Now.Explicit && this.model.now(preferred, step, access, size) === now) return preferred;
    for (let way = 0; way < Now.Explicit; way++) if (this.model.now(way, step, access, size) === now) return way;
    return Now.Explicit;
  }

  private writeOperand(step: Step, access: number, isTold: boolean): void {
    const { model, out } = this;
    const { size } = step.code.accesses[access];
    const way = this.ways[access];
    if (isTold) {
      const bits = this.differences(step, access);
      out.byte(bits | (way << 4));
      if ((bits & Operand.Linear) !== 0) out.number(step.linear[access]);
      if ((bits & Operand.Physical) !== 0) out.number(step.physical[access] + 1);
      if ((bits & Operand.Old) !== 0) out.number(step.old[access] + 1);
      if (way === Now.Explicit) out.number(step.now[access]);
      else if (way === Now.Untold) out.number(step.now[access] + 1);
    }
    noteOperand(model, step, access, size, way);
  }
}

/** Which registers changed, as bits, and which of these took the value of the first operand in memory. */
function changesOf({ before, after, code, old }: Step): { changed: number; loaded: number } {
  let changed = 0;
  let loaded = 0;
  const value = code.accesses.length > 0 && old[0] >= 0 ? old[0] | 0 : undefined;
  for (let i = 0; i < REGISTERS.length; i++) {
    if (before[i] === after[i]) continue;
    changed |= 1 << i;
    if (after[i] === value) loaded |= 1 << i;
  }
  return { changed, loaded };
}

function noteChanges(model: StepModel, { code, before, after }: Step, changed: number, loaded: number): void {
  const memory = model.memoryOf(code.id);
  memory.changed = changed;
  memory.loaded = loaded;
  for (let i = 0; i < REGISTERS.length; i++) memory.deltas[i] = deltaOf(i, before[i], after[i]);
}

function noteOperand(model: StepModel, step: Step, access: number, size: number, way: number): void {
  const memory = model.memoryOf(step.code.id);
  model.notePhysical(step.linear[access], step.physical[access]);
  memory.now[access] = way;
  memory.values[access] = step.now[access];
  if (hasValue(step, access, size) && step.now[access] >= 0)
    model.noteValue(step.physical[access], size, step.now[access]);
}

export class StepDecoder {
  private readonly model = new StepModel();
  private readonly step = new Step();

  /** `codes` are the instructions by their numbers. */
  constructor(private readonly codes: readonly Code[]) {}

  /** The step that begins with the byte `tag`, which has been read. It is reused. Throws RangeError for bytes that are no step. */
  read(input: ByteReader, tag: number): Step {
    const { model, step } = this;
    const id = (tag & Tag.Code) !== 0 ? input.number() : model.expected;
    const code = this.codes[id];
    if (code === undefined) throw new RangeError(`no instruction ${id}`);
    step.code = code;
    const isOther = (tag & Tag.Context) !== 0;
    step.instret = model.instret + (isOther ? input.signed() : 0);
    step.pid = isOther ? input.number() - 1 : model.pid;
    step.ring = isOther ? input.byte() : model.ring;
    step.cs = isOther ? input.number() : model.cs;
    for (let i = 0; i < REGISTERS.length; i++) {
      step.before[i] = changedBy(i, model.registers[i], (tag & Tag.Before) !== 0 ? input.signed() : 0);
    }
    step.retired = (tag & Tag.Retired) !== 0 ? input.number() : 1;
    step.interrupted = (tag & Tag.Interrupted) !== 0;
    model.setRegisters(step.before);
    const accesses = Math.min(code.accesses.length, MOST_ACCESSES);
    for (let i = 0; i < accesses; i++) this.readOperand(input, i, (tag & Tag.Memory) !== 0);
    this.readChanges(input, (tag & Tag.Changes) !== 0);
    model.follow(step);
    return step;
  }

  private readOperand(input: ByteReader, access: number, isTold: boolean): void {
    const { model, step } = this;
    const { size } = step.code.accesses[access];
    const byte = isTold ? input.byte() : model.memoryOf(step.code.id).now[access] << 4;
    const way = byte >> 4;
    step.linear[access] = (byte & Operand.Linear) !== 0 ? input.number() : model.linear(step.code, access);
    step.physical[access] = (byte & Operand.Physical) !== 0 ? input.number() - 1 : model.physical(step.linear[access]);
    step.hit[access] = (byte & Operand.Miss) !== 0 ? 0 : 1;
    if ((byte & Operand.Old) !== 0) step.old[access] = input.number() - 1;
    else step.old[access] = hasValue(step, access, size) ? model.value(step.physical[access], size) : -1;
    if (way === Now.Explicit) step.now[access] = input.number();
    else if (way === Now.Untold) step.now[access] = input.number() - 1;
    else step.now[access] = hasValue(step, access, size) ? model.now(way, step, access, size) : -1;
    noteOperand(model, step, access, size, way);
  }

  private readChanges(input: ByteReader, isTold: boolean): void {
    const { model, step } = this;
    const memory = model.memoryOf(step.code.id);
    const changed = isTold ? input.number() : memory.changed;
    const loaded = isTold ? input.number() : memory.loaded;
    for (let i = 0; i < REGISTERS.length; i++) {
      const bit = 1 << i;
      if ((changed & bit) === 0) step.after[i] = step.before[i];
      else if ((loaded & bit) !== 0) step.after[i] = step.old[0];
      else step.after[i] = changedBy(i, step.before[i], isTold ? input.signed() : memory.deltas[i]);
    }
    noteChanges(model, step, changed, loaded);
  }
}
