/**
 * The intermediate representation: static single assignment over basic blocks. Every value is an i32.
 *
 * A block's `body` holds its values in program order; a value of the body that nothing uses and that has no effect is
 * dead. Constants are in no block: one Value per number and function. Phis stand apart, their arguments parallel to `preds`.
 * `successors` has no duplicates, so an edge is named by its two blocks; `preds` is its exact mirror.
 * May import variables' types.
 */
import type { SourceVariable } from "./variables";

/** The operations. The order of Add … GeU follows wasm's opcodes, which irbuild.ts relies on. */
export const enum Op {
  Const,
  Param,
  Phi,
  Add,
  Sub,
  Mul,
  DivS,
  DivU,
  RemS,
  RemU,
  And,
  Or,
  Xor,
  Shl,
  ShrS,
  ShrU,
  Rotl,
  Rotr,
  Eq,
  Ne,
  LtS,
  LtU,
  GtS,
  GtU,
  LeS,
  LeU,
  GeS,
  GeU,
  Clz,
  Ctz,
  Extend8,
  Extend16,
  /** args [condition, ifTrue, ifFalse]; split into a diamond before lowering. */
  Select,
  /** args [address]; imm = offset, access = what is read. */
  Load,
  /** args [address, value]; imm = offset. */
  Store,
  GlobalGet,
  GlobalSet,
  /** args = arguments; imm = function index. */
  Call,
  /** args = [table index, ...arguments]. */
  CallIndirect,
  /** args = arguments; name = the intrinsic. */
  Intrinsic,
  /** args [destination, source, bytes]: memmove. */
  MemoryCopy,
  /** args [destination, byte, bytes]. */
  MemoryFill,
  /** Address of the ASCIIZ string `name`. */
  CString,
  /** Nothing may move across: an atomic fence. */
  Barrier,
  /** args [low, high]: eight bytes between a load and a store, while the function is built; in no block. */
  Pair,
}

/** What a Load or Store touches. Loads of 8 and 16 bits extend to 32. */
export const enum Access {
  Word,
  Byte,
  SignedByte,
  Half,
  SignedHalf,
}

/** Bytes of an access. */
export function accessBytes(access: Access): 1 | 2 | 4 {
  return access === Access.Word ? 4 : access <= Access.SignedByte ? 1 : 2;
}

export class Value {
  /** The block it stands in; null for constants. */
  block: Block | null = null;
  imm = 0;
  access: Access = Access.Word;
  /** An atomic load or store: happens once, where it stands. */
  atomic = false;
  /** Whether a call or intrinsic leaves a value. */
  hasResult = true;
  name = "";
  /** How many arguments and block controls refer to it; kept by countUses(). */
  uses = 0;
  /** Set when another value takes its place; read through resolve(). */
  replacement: Value | null = null;

  constructor(
    readonly id: number,
    public op: Op,
    public args: Value[],
    /** Byte offset in the wasm binary, for lines and messages. */
    readonly offset: number,
  ) {}
}

/** How a block ends. */
export const enum End {
  /** successors [target]. */
  Jump,
  /** control = condition; successors [if not zero, if zero]. */
  Branch,
  /** control = index; cases[i] = position in successors, the last for all greater indices. */
  Switch,
  /** control = the result, or null. */
  Return,
  /** Unreachable: ud2. */
  Trap,
}

export class Block {
  phis: Value[] = [];
  body: Value[] = [];
  end: End = End.Trap;
  control: Value | null = null;
  /** Byte offset of the wasm instruction that ends the block. */
  endOffset = 0;
  cases: number[] = [];
  successors: Block[] = [];
  preds: Block[] = [];
  /** Loops around it; kept by cfg.ts. */
  depth = 0;
  /** It ends in a trap on every path. */
  cold = false;
  /** Immediate dominator; null for the entry; kept by cfg.ts. */
  dominator: Block | null = null;
  /** Position in reverse postorder; -1 when unreachable. */
  order = -1;

  constructor(readonly id: number) {}
}

export class IrFunction {
  blocks: Block[] = [];
  /** For debuggers: values that are variables of the source. */
  readonly variables: { variable: SourceVariable; value: Value | undefined }[] = [];
  private values = 0;
  private blockCount = 0;
  private readonly constants = new Map<number, Value>();

  constructor(
    /** In wasm's function index space. */
    readonly index: number,
    readonly name: string,
    readonly parameters: number,
    readonly hasResult: boolean,
    readonly offset: number,
  ) {}

  get entry(): Block {
    return this.blocks[0];
  }

  /** Upper bound of value numbers. */
  get valueCount(): number {
    return this.values;
  }

  /** The constant as a value; `number` is taken modulo 2^32 as an int32. */
  constant(number: number): Value {
    const key = number | 0;
    let value = this.constants.get(key);
    if (value === undefined) {
      value = this.value(Op.Const, [], 0);
      value.imm = key;
      this.constants.set(key, value);
    }
    return value;
  }

  /** A new value in no block. */
  value(op: Op, args: Value[], offset: number): Value {
    return new Value(this.values++, op, args, offset);
  }

  /** A new block, not yet in `blocks`. */
  block(): Block {
    return new Block(this.blockCount++);
  }

  /** A new phi in front of a block, its arguments to be filled in. */
  phi(block: Block, offset: number): Value {
    const phi = this.value(Op.Phi, [], offset);
    phi.block = block;
    block.phis.push(phi);
    return phi;
  }
}

/** The value that stands for `value` now. */
export function resolve(value: Value): Value {
  let end = value;
  while (end.replacement !== null) end = end.replacement;
  for (let v = value; v.replacement !== null; ) {
    const next: Value = v.replacement;
    v.replacement = end;
    v = next;
  }
  return end;
}

/** Rewrite all arguments and controls to what stands for them now. */
export function resolveAll(fn: IrFunction): void {
  for (const block of fn.blocks) {
    for (const list of [block.phis, block.body]) {
      for (const value of list) {
        for (let i = 0; i < value.args.length; i++) value.args[i] = resolve(value.args[i]);
      }
    }
    if (block.control !== null) block.control = resolve(block.control);
  }
}

/** Whether a value does something besides giving a result, so that it stays although nothing uses it. */
export function hasEffect(value: Value): boolean {
  switch (value.op) {
    case Op.Load: // A read may fault, and a program may mean it to.
    case Op.Store:
    case Op.GlobalSet:
    case Op.Call:
    case Op.CallIndirect:
    case Op.Intrinsic:
    case Op.MemoryCopy:
    case Op.MemoryFill:
    case Op.Barrier:
      return true;
    case Op.DivS:
    case Op.DivU:
    case Op.RemS:
    case Op.RemU:
      return divisionTraps(value);
    default:
      return false;
  }
}

/** Whether a division may raise #DE: by zero, or the one quotient that does not fit. */
export function divisionTraps(value: Value): boolean {
  const divisor = value.args[1];
  return divisor.op !== Op.Const || divisor.imm === 0 || (value.op === Op.DivS && divisor.imm === -1);
}

/** Whether a value is a function of its arguments alone: it may be computed anywhere they are known, or not at all. */
export function isPure(value: Value): boolean {
  return (
    (value.op >= Op.Add && value.op <= Op.Select && !hasEffect(value)) ||
    value.op === Op.CString ||
    value.op === Op.Const
  );
}

/** Whether memory may be different after it. */
export function writesMemory(value: Value): boolean {
  switch (value.op) {
    case Op.Store:
    case Op.GlobalSet:
    case Op.Call:
    case Op.CallIndirect:
    case Op.Intrinsic:
    case Op.MemoryCopy:
    case Op.MemoryFill:
    case Op.Barrier:
      return true;
    case Op.Load:
      return value.atomic;
    default:
      return false;
  }
}

/** Comparison of the same operands with the opposite outcome. */
export function invertComparison(op: Op): Op {
  switch (op) {
    case Op.Eq:
      return Op.Ne;
    case Op.Ne:
      return Op.Eq;
    case Op.LtS:
      return Op.GeS;
    case Op.GeS:
      return Op.LtS;
    case Op.LtU:
      return Op.GeU;
    case Op.GeU:
      return Op.LtU;
    case Op.GtS:
      return Op.LeS;
    case Op.LeS:
      return Op.GtS;
    case Op.GtU:
      return Op.LeU;
    default:
      return Op.GtU;
  }
}

/** Comparison with its operands exchanged. */
export function swapComparison(op: Op): Op {
  switch (op) {
    case Op.LtS:
      return Op.GtS;
    case Op.GtS:
      return Op.LtS;
    case Op.LtU:
      return Op.GtU;
    case Op.GtU:
      return Op.LtU;
    case Op.LeS:
      return Op.GeS;
    case Op.GeS:
      return Op.LeS;
    case Op.LeU:
      return Op.GeU;
    case Op.GeU:
      return Op.LeU;
    default:
      return op;
  }
}

export function isComparison(op: Op): boolean {
  return op >= Op.Eq && op <= Op.GeU;
}
