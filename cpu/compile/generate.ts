/**
 * From blocks to the bytes of a WebAssembly module: one function in which each block is a piece, reached by its number from
 * outside and by branches from the others.
 *
 *     loop
 *       block block … block          one for each piece, the first innermost
 *         br_table Block
 *       end piece 0 end piece 1 …    a branch forward goes to the end of a block, one back by way of the table
 *     end
 *
 * A piece begins as the interpreter enters a block: if not every boundary in it lies before the budget's end, the function
 * returns; else the block's instructions and cycles are charged at once. An instruction goes the slow way, or has no emitter:
 * its handler runs with the state in its words, and when that leaves an event, the function returns.
 *
 * May import the other files of compile/, blocks.ts (types), exec/bind.ts, isa.ts, operation.ts.
 */

import type { Block } from "../blocks";
import type { CostTable } from "../costs";
import { handlerKey } from "../exec/bind";
import { ROWS, RowFlag } from "../isa";
import type { Operation } from "../operation";
import { Layout, Word } from "../registers";
import { ARITHMETIC_EMITTERS, type Emit } from "./arithmetic";
import { Known } from "./conditions";
import { type EmitTransfer, TRANSFER_EMITTERS, type Ways } from "./control";
import { Emitter, type Shape } from "./emitter";
import {
  Callee,
  enter,
  flushTime,
  Local,
  leave,
  loadWord,
  newBody,
  pushBudget,
  STATE,
  storeState,
  TYPE_OF_CALLEE,
  TYPES,
  Type,
} from "./frame";
import { isPlain, MOVE_EMITTERS } from "./moves";
import { SEGMENT_EMITTERS } from "./segments";
import { REPEATED_EMITTERS } from "./strings";
import { TRAP_EMITTERS } from "./traps";
import { Access, Body, type Definition, moduleBytes, Op } from "./wasm";

/** What a region's function returns; else 0: go on at EIP. The site is in the bits above. */
export const enum Exit {
  /** The next block might not end before the budget does: it is the interpreter's. */
  Budget = 1,
  /** The handler at the site has run and left an event. */
  Event = 2,
  /** The instruction at the site, the last of its block, is to be run by its handler. */
  RunLast = 3,
}

/** Bits of a code that are the Exit. */
export const EXIT_KIND = 3;
export const SITE_SHIFT = 2;

/** What is emitted for a region beside its blocks. */
export interface Plan {
  /** In the order of their addresses. */
  blocks: readonly Block[];
  user: boolean;
  costs: CostTable;
}

const EMITTERS: Readonly<Record<string, Emit>> = { ...ARITHMETIC_EMITTERS, ...MOVE_EMITTERS };
const TRANSFERS: Readonly<Record<string, EmitTransfer>> = {
  ...TRANSFER_EMITTERS,
  ...SEGMENT_EMITTERS,
  ...TRAP_EMITTERS,
};
const PAGE_OFFSET = 0xfff;
/** Instructions that end a block only because they may change what decoded code depends on, and most often do not. */
const GOES_ON = /^(mov|pop|popfd|sti|clts|invlpg)$/;

/** Operands of an operation as the emitters want them, jump distances left out; null: some are of another kind. */
function shapesOf(tokens: readonly string[]): Shape[] | null {
  const shapes: Shape[] = [];
  for (const token of tokens) {
    const kind = token[0];
    if (token === "j") continue;
    if (kind !== "r" && kind !== "m" && token !== "i" && token !== "s") return null;
    const size = token === "s" ? 2 : Number(token.slice(1));
    if (Number.isNaN(size)) return null;
    shapes.push({ kind, size } as Shape);
  }
  return shapes;
}

/** Whether an operation ends its block by what it does. */
export function terminates(op: Operation): boolean {
  return op.selfCharging !== 0 || (ROWS[op.row].flags & RowFlag.Terminates) !== 0;
}

class Generator {
  private readonly body = newBody();
  private readonly e: Emitter;
  private readonly indexOf = new Map<number, number>();
  /** Labels: the way out, the dispatch by number, the dispatch by address, and the end of what stands before each piece. */
  private exit = 0;
  private again = 0;
  private lookUp = 0;
  private labels: number[] = [];
  /** The loop around a piece that goes on with itself. */
  private self = 0;
  private current = 0;
  private site = 0;

  constructor(private readonly plan: Plan) {
    this.e = new Emitter(this.body, plan.user);
    for (const [index, block] of plan.blocks.entries()) this.indexOf.set(block.physical & PAGE_OFFSET, index);
  }

  generate(): Uint8Array {
    const { body, plan } = this;
    enter(body);
    this.exit = body.block();
    this.again = body.loop();
    this.labels = plan.blocks.map(() => body.block()).reverse();
    this.lookUp = body.block();
    body.get(Local.Block);
    body.branchTable(this.labels, this.lookUp);
    body.end();
    this.dispatchByAddress();
    for (const [index, block] of plan.blocks.entries()) {
      body.end();
      this.current = index;
      this.piece(block);
    }
    body.end();
    body.end();
    storeState(body);
    leave(body);
    const imports = TYPE_OF_CALLEE.slice(0, Callee.Handler);
    return moduleBytes(TYPES, imports, [handlerCall(), { type: Type.Unary, body: body.finish() }]);
  }

  /** Goes on at the address in Target: at a piece of this region, or outside. */
  private dispatchByAddress(): void {
    const { body, plan } = this;
    const offsets = plan.blocks.map((block) => block.physical & PAGE_OFFSET);
    const [first] = offsets;
    const table = new Array<number>(offsets[offsets.length - 1] - first + 1).fill(this.exit);
    for (const [index, offset] of offsets.entries()) table[offset - first] = this.labels[index];
    body.get(Local.Target);
    body.get(Local.Page);
    body.op(Op.I32Sub);
    body.constant(first);
    body.op(Op.I32Sub);
    body.branchTable(table, this.exit);
  }

  private piece(block: Block): void {
    const { body, e } = this;
    const { operations } = block;
    const last = operations.length - 1;
    const loops = this.goesOnWithItself(block);
    if (loops) this.self = body.loop();
    e.known = Known.Nothing;
    this.charge(block);
    for (const [index, op] of operations.entries()) {
      if (index === last && terminates(op)) this.transfer(block, op);
      else this.instruction(block, op);
      this.site++;
    }
    if (!terminates(operations[last])) this.direct((block.physical & PAGE_OFFSET) + block.bytes);
    if (loops) body.end();
    this.self = 0;
  }

  private goesOnWithItself(block: Block): boolean {
    const op = block.operations[block.before];
    const distance = (ROWS[op.row].operands[0] ?? "")[0] === "J" ? op.immediate : 0;
    return distance === -block.bytes;
  }

  private charge(block: Block): void {
    const { body } = this;
    body.get(Local.Cycles);
    body.constant(block.worst);
    body.op(Op.I32Add);
    body.get(Local.Budget);
    body.op(Op.I32GeS);
    body.if();
    this.leaveAt(block.physical & PAGE_OFFSET, Exit.Budget);
    body.end();
    this.count(Local.Cycles, block.cycles);
    this.count(Local.Instret, block.count);
  }

  private count(local: Local, by: number): void {
    const { body } = this;
    body.get(local);
    body.constant(by);
    body.op(Op.I32Add);
    body.set(local);
  }

  /** Leaves the region for the instruction at an offset in (or around) its page. */
  private leaveAt(offset: number, code: number): void {
    const { body } = this;
    body.get(Local.Page);
    body.constant(offset);
    body.op(Op.I32Add);
    body.set(Local.Target);
    if (code !== 0) {
      body.constant(code);
      body.set(Local.Code);
    }
    body.branch(this.exit);
  }

  /** Goes on at a known offset. */
  private direct(offset: number): void {
    const { body } = this;
    const index = this.indexOf.get(offset);
    if (index === undefined) this.leaveAt(offset, 0);
    else if (index > this.current) body.branch(this.labels[index]);
    else if (index === this.current && this.self !== 0) body.branch(this.self);
    else {
      body.constant(index);
      body.set(Local.Block);
      body.branch(this.again);
    }
  }

  private indirect(): void {
    const { body } = this;
    body.constant(-1);
    body.set(Local.Block);
    body.branch(this.again);
  }

  /** An instruction that is not the transfer at the end of its block. */
  private instruction(block: Block, op: Operation): void {
    const { body, e } = this;
    const [mnemonic, ...tokens] = handlerKey(op).split(" ");
    const shapes = shapesOf(tokens);
    const emit = EMITTERS[mnemonic];
    if (shapes === null || emit === undefined || !isPlain(op)) {
      this.callHandler(block);
      e.known = Known.Nothing;
      return;
    }
    const mark = body.mark();
    const fails = canFail(op, mnemonic);
    const done = fails ? body.block() : 0;
    e.begin(fails ? body.block() : 0);
    const emitted = emit(e, op, shapes);
    if (!emitted) {
      body.rewind(mark);
      e.known = Known.Nothing;
    } else if (!fails) return;
    else {
      body.branch(done);
      body.end();
    }
    this.callHandler(block);
    if (emitted) body.end();
  }

  /** Runs the present instruction's handler and leaves the region when there is an event. */
  private callHandler(block: Block): void {
    const { body } = this;
    const end = (block.physical & PAGE_OFFSET) + block.bytes;
    body.constant(Layout.Words + 4 * Word.Eip);
    body.get(Local.Page);
    body.constant(end);
    body.op(Op.I32Add);
    body.access(Access.I32Store);
    body.constant(this.site);
    for (let i = 0; i < STATE.length; i++) body.get(Local.Registers + i);
    body.call(Callee.Handler);
    body.set(Local.T);
    body.set(Local.Budget);
    for (let i = STATE.length - 1; i >= 0; i--) body.set(Local.Registers + i);
    body.get(Local.T);
    body.if();
    this.leaveAt(end, (this.site << SITE_SHIFT) | Exit.Event);
    body.end();
  }

  /** The last instruction of a block that ends with it. */
  private transfer(block: Block, op: Operation): void {
    const { body } = this;
    const end = (block.physical & PAGE_OFFSET) + block.bytes;
    const key = handlerKey(op).split(" ");
    if (isPlain(op)) {
      const mark = body.mark();
      this.e.begin(body.block());
      if (this.transferFast(op, key, end)) body.end();
      else body.rewind(mark);
    }
    if (GOES_ON.test(key[0]) && op.selfCharging === 0) this.goOnIfNothingChanged(block, end);
    else this.leaveAt(end, (this.site << SITE_SHIFT) | Exit.RunLast);
  }

  /** Its fast way; false: there is none, and nothing has been emitted that counts. */
  private transferFast(op: Operation, [name, ...tokens]: readonly string[], next: number): boolean {
    const { body, e } = this;
    const ways: Ways = {
      direct: (offset) => this.direct(offset),
      indirect: () => this.indirect(),
      outside: () => body.branch(this.exit),
      costs: this.plan.costs,
      next,
    };
    if (name === "rep") {
      const emit = REPEATED_EMITTERS[`rep ${tokens[0]}`];
      if (emit === undefined) return false;
      emit(e, op, ways);
      return true;
    }
    const emit = TRANSFERS[name];
    const shapes = shapesOf(tokens);
    return emit !== undefined && shapes !== null && emit(e, op, shapes, ways);
  }

  /** Runs the last instruction's handler here, and goes on behind it unless what the region is compiled for has changed. */
  private goOnIfNothingChanged(block: Block, end: number): void {
    const { body } = this;
    flushTime(body);
    this.callHandler(block);
    loadWord(body, Word.Mode);
    body.constant(block.mode);
    body.op(Op.I32Ne);
    loadWord(body, Word.Attention);
    body.op(Op.I32Or);
    loadWord(body, Word.ReadBit);
    body.op(Op.I32Eqz);
    body.op(Op.I32Or);
    body.if();
    this.leaveAt(end, 0);
    body.end();
    this.direct(end);
  }
}

/** Whether an emitted instruction has a slow way: it accesses memory, or divides. */
function canFail(op: Operation, mnemonic: string): boolean {
  return op.walks !== 0 || mnemonic === "div" || mnemonic === "idiv";
}

/** The function Callee.Handler: stores the state, runs a site's handler, and returns state, budget and event. */
function handlerCall(): Definition {
  const body = new Body(0, 0);
  for (const [index, word] of STATE.entries()) {
    body.constant(Layout.Words + 4 * word);
    body.get(1 + index);
    body.access(Access.I32Store);
  }
  body.get(0);
  body.call(Callee.Host);
  body.set(0);
  for (const word of STATE) loadWord(body, word);
  pushBudget(body);
  body.get(0);
  return { type: Type.Handler, body: body.finish() };
}

/** The number under which a region's module exports its function. */
export const REGION = Callee.Handler + 1;

/** The module of a region: imports the memory, `(site) -> event` and the runtime, exports `(block) -> Exit`. */
export function generate(plan: Plan): Uint8Array {
  return new Generator(plan).generate();
}
