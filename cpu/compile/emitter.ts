/**
 * The ground that the families of instructions stand on: register operands of each size, effective addresses, and the check
 * of an address against the host TLB, which either gives a host offset or goes the slow way.
 * May import wasm.ts, frame.ts, conditions.ts, operation.ts, instruction.ts, registers.ts, tlb.ts.
 *
 * The rule of compiled code: only the fast way is emitted. Whatever is no hit in the host TLB within one page, and whatever would
 * fault, branches to `slow` before anything has changed, and there the instruction's handler runs, as in the interpreter. Only
 * the first access of an instruction has the host TLB filled: when a later one goes the slow way, the handler finds the first
 * still to be a hit, and charges nothing twice.
 */

import { NO_REGISTER } from "../instruction";
import type { Operation } from "../operation";
import { Layout, Word } from "../registers";
import { HostTlb } from "../tlb";
import { Known, pushCarry, pushCondition } from "./conditions";
import { Callee, Local, loadWord } from "./frame";
import { Access, type Body, Op } from "./wasm";

const LOADS: Readonly<Record<number, Access>> = { 1: Access.I32Load8S, 2: Access.I32Load16S, 4: Access.I32Load };
const UNSIGNED_LOADS: Readonly<Record<number, Access>> = {
  1: Access.I32Load8U,
  2: Access.I32Load16U,
  4: Access.I32Load,
};
const STORES: Readonly<Record<number, Access>> = { 1: Access.I32Store8, 2: Access.I32Store16, 4: Access.I32Store };

const PAGE = 4096;

/** A kind of operand as exec/bind.ts spells it: register, memory, immediate, segment register; and its size in bytes. */
export interface Shape {
  kind: "r" | "m" | "i" | "s";
  size: number;
}

export class Emitter {
  /** What left the lazy flags at this point. */
  known = Known.Nothing;
  /** Label of the slow way of the instruction that is being emitted. */
  private slowLabel = 0;
  /** Whether the instruction has not accessed memory yet. */
  private firstAccess = true;

  /** `user`: the region runs at CPL 3. */
  constructor(
    readonly body: Body,
    private readonly user: boolean,
  ) {}

  /** Begins an instruction, whose slow way is behind the block with this label. */
  begin(slow: number): void {
    this.slowLabel = slow;
    this.firstAccess = true;
  }
  get slow(): number {
    return this.slowLabel;
  }

  constant(value: number): void {
    this.body.constant(value);
  }
  get(local: number): void {
    this.body.get(local);
  }
  set(local: number): void {
    this.body.set(local);
  }
  op(op: Op): void {
    this.body.op(op);
  }
  /** Pushes a general register. */
  register(register: number): void {
    this.body.get(Local.Registers + register);
  }
  setRegister(register: number): void {
    this.body.set(Local.Registers + register);
  }
  /** Combines what is on the stack with a constant. */
  with(op: Op, value: number): void {
    this.body.constant(value);
    this.body.op(op);
  }
  condition(code: number): void {
    pushCondition(this.body, code, this.known);
  }
  carry(): void {
    pushCarry(this.body, this.known);
  }

  /**
   * Pushes the register whose index in the view of its size is `index` (operation.ts), sign-extended, or zero-extended where
   * `unsigned`.
   */
  view(size: number, index: number, unsigned = false): void {
    if (size === 4) {
      this.register(index);
      return;
    }
    if (size === 2) {
      this.register(index >> 1);
      if (unsigned) this.with(Op.I32And, 0xffff);
      else this.op(Op.I32Extend16S);
      return;
    }
    this.register(index >> 2);
    if ((index & 1) !== 0) this.with(Op.I32ShrU, 8);
    if (unsigned) this.with(Op.I32And, 0xff);
    else this.op(Op.I32Extend8S);
  }

  /** Sets it from the stack; upper bits of the value are dropped. Uses T. */
  setView(size: number, index: number): void {
    if (size === 4) {
      this.setRegister(index);
      return;
    }
    const register = size === 2 ? index >> 1 : index >> 2;
    const mask = size === 2 ? 0xffff : 0xff;
    const shift = size === 1 && (index & 1) !== 0 ? 8 : 0;
    this.with(Op.I32And, mask);
    if (shift !== 0) this.with(Op.I32Shl, shift);
    this.register(register);
    this.with(Op.I32And, ~(mask << shift));
    this.op(Op.I32Or);
    this.setRegister(register);
  }

  /** Pushes base + index * scale + displacement. */
  effectiveAddress(op: Operation): void {
    let pushed = false;
    if (op.base !== NO_REGISTER) {
      this.register(op.base);
      pushed = true;
    }
    if (op.index !== NO_REGISTER) {
      this.register(op.index);
      if (op.scale !== 0) this.with(Op.I32Shl, op.scale);
      if (pushed) this.op(Op.I32Add);
      pushed = true;
    }
    if (!pushed) this.constant(op.displacement);
    else if (op.displacement !== 0) this.with(Op.I32Add, op.displacement);
  }

  /** Takes a linear address; sets `host` to its host offset for reading `size` bytes, or goes the slow way. */
  checkRead(size: number, host: Local = Local.Host): void {
    this.check(size, 0, this.user ? HostTlb.UserRead : HostTlb.SupervisorRead, host);
  }

  /** The same for writing (and reading). */
  checkWrite(size: number, host: Local = Local.Host): void {
    this.check(size, 1, this.user ? HostTlb.UserWrite : HostTlb.SupervisorWrite, host);
  }

  private check(size: number, write: 0 | 1, bit: HostTlb, host: Local): void {
    const { body } = this;
    body.tee(Local.Address);
    this.with(Op.I32ShrU, 12);
    this.with(Op.I32Shl, 2);
    body.access(Access.I32Load, Layout.HostTlb);
    body.tee(Local.Entry);
    this.with(Op.I32And, bit);
    this.op(Op.I32Eqz);
    if (this.firstAccess) this.fill(write, bit);
    else body.branchIf(this.slow);
    this.firstAccess = false;
    if (size > 1) {
      this.get(Local.Address);
      this.with(Op.I32And, PAGE - 1);
      this.with(Op.I32GtU, PAGE - size);
      body.branchIf(this.slow);
    }
    this.get(Local.Entry);
    this.with(Op.I32And, HostTlb.Frame);
    this.get(Local.Address);
    this.with(Op.I32And, PAGE - 1);
    this.op(Op.I32Or);
    this.set(host);
  }

  /** Has the host TLB filled where what is on the stack is not 0, and goes the slow way where that is not enough. */
  private fill(write: 0 | 1, bit: HostTlb): void {
    const { body } = this;
    body.if();
    this.get(Local.Address);
    this.constant(write);
    body.call(this.user ? Callee.FillByUser : Callee.Fill);
    this.set(Local.Budget);
    body.tee(Local.Entry);
    this.with(Op.I32And, bit);
    this.op(Op.I32Eqz);
    body.branchIf(this.slow);
    body.end();
  }

  /** Pushes what lies at a host offset, sign-extended. */
  load(size: number, host: Local = Local.Host, offset = 0): void {
    this.get(host);
    this.body.access(LOADS[size], offset);
  }
  loadUnsigned(size: number): void {
    this.get(Local.Host);
    this.body.access(UNSIGNED_LOADS[size]);
  }
  /** Stores what `value` pushes at a host offset. */
  store(size: number, value: () => void, host: Local = Local.Host, offset = 0): void {
    this.get(host);
    value();
    this.body.access(STORES[size], offset);
  }

  /** Checks the memory operand, where `shape` is one: for writing too where `write`. */
  prepare(op: Operation, shape: Shape, write: boolean): void {
    if (shape.kind !== "m") return;
    this.effectiveAddress(op);
    if (write) this.checkWrite(shape.size);
    else this.checkRead(shape.size);
  }

  /** Pushes an operand, sign-extended: a prepared memory operand, a register by its index, or the immediate. */
  value(op: Operation, shape: Shape, index: number): void {
    if (shape.kind === "m") this.load(shape.size);
    else if (shape.kind === "r") this.view(shape.size, index);
    else if (shape.kind === "s") loadWord(this.body, Word.Selector + op.reg);
    else this.constant(op.immediate);
  }

  /** Writes the local `from` to a register or to prepared memory. */
  write(shape: Shape, index: number, from: Local): void {
    if (shape.kind === "m") this.store(shape.size, () => this.get(from));
    else {
      this.get(from);
      this.setView(shape.size, index);
    }
  }

  /** Cuts what is on the stack to `size` bytes and extends its sign. */
  extend(size: number): void {
    if (size === 1) this.op(Op.I32Extend8S);
    else if (size === 2) this.op(Op.I32Extend16S);
  }

  /** Says that all flags of `lazy` follow from LazyA, LazyB and LazyResult, which have been set. */
  flags(lazy: number, known: Known): void {
    this.constant(lazy);
    this.set(Local.Lazy);
    this.known = known;
  }
}
