/**
 * Regions: blocks of one page that are run often, compiled together. Finds them, has them compiled, and forgets them when the
 * bytes of one of their blocks change.
 * May import generate.ts, blocks.ts (types), isa.ts, registers.ts, paging.ts, faults.ts, and the type of the processor.
 *
 * Invariants: all blocks of a region lie in one frame and have one Mode, flat 32-bit; a block's region is the newest that it is
 * in; a region of which one block was dropped is nowhere reachable any more: not from its blocks, nor by dispatch.ts.
 */

import type { Block } from "../blocks";
import type { Cpu } from "../cpu";
import { faulted } from "../faults";
import { ROWS } from "../isa";
import type { Operation } from "../operation";
import { NO_PAGE } from "../paging";
import { Mode, Word } from "../registers";
import { generate, REGION, terminates } from "./generate";

/** Runs of a block that make it worth compiling, and those that make it worth taking along. */
export const COMPILE_AFTER = 2000;
const WARM = 20;
const MOST_BLOCKS = 64;
const MOST_OPERATIONS = 500;
const PAGE_OFFSET = 0xfff;

export interface Region {
  /** In the table of regions (dispatch.ts). */
  readonly number: number;
  /** Runs from the block with that number; the result is an Exit (generate.ts). */
  readonly run: (block: number) => number;
  readonly blocks: readonly Block[];
  /** By site: the block that an operation is in, and its place there. */
  readonly siteBlock: readonly Block[];
  readonly siteIndex: readonly number[];
}

/** Whether a block can be compiled at all. */
function compilable(block: Block): boolean {
  return (block.mode & ~Mode.User) === (Mode.Code32 | Mode.Flat) && block.second === NO_PAGE && block.least > 0;
}

/** Offsets in the page where a block may go on, as far as they are known. */
function successors(block: Block): number[] {
  const op = block.operations[block.before];
  const next = (block.physical & PAGE_OFFSET) + block.bytes;
  if (!terminates(op)) return [next];
  const { mnemonic, operands } = ROWS[op.row];
  const ways = (operands[0] ?? "")[0] === "J" ? [next + op.immediate] : [];
  if (mnemonic !== "jmp" && !mnemonic.startsWith("ret") && !mnemonic.startsWith("iret")) ways.push(next);
  return ways;
}

/** The blocks to compile with a hot one, in the order of their addresses. */
function gather(cpu: Cpu, hot: Block): Block[] {
  const found = new Set<Block>([hot]);
  const warm = Math.min(WARM, cpu.compileAfter);
  let operations = hot.operations.length;
  for (const block of found) {
    for (const offset of successors(block)) {
      if ((offset & ~PAGE_OFFSET) !== 0 || found.size >= MOST_BLOCKS) continue;
      const next = cpu.blocks.find((hot.physical & ~PAGE_OFFSET) | offset, hot.mode);
      if (next === null || found.has(next) || next.heat < warm || !compilable(next)) continue;
      operations += next.operations.length;
      if (operations > MOST_OPERATIONS) return inOrder(found);
      found.add(next);
    }
  }
  return inOrder(found);
}

function inOrder(blocks: Set<Block>): Block[] {
  return [...blocks].sort((a, b) => (a.physical & PAGE_OFFSET) - (b.physical & PAGE_OFFSET));
}

/** Compiles a hot block and what belongs to it. Nothing happens where it cannot be compiled. */
export function compileRegion(cpu: Cpu, hot: Block): void {
  if (!compilable(hot)) return;
  const blocks = gather(cpu, hot);
  const operations: Operation[] = [];
  const siteBlock: Block[] = [];
  const siteIndex: number[] = [];
  for (const block of blocks) {
    for (const [index, op] of block.operations.entries()) {
      operations.push(op);
      siteBlock.push(block);
      siteIndex.push(index);
    }
  }
  const bytes = generate({
    blocks,
    user: (hot.mode & Mode.User) !== 0,
    costs: cpu.costs,
  });
  cpu.blocks.compiled++;
  const { r } = cpu;
  // Where filling the host TLB has raised a fault, that is what the handler would have raised.
  const runHandler = (site: number): number => {
    const op = operations[site];
    if (!faulted(cpu)) op.run(cpu, op);
    return r[Word.Event];
  };
  const imports = { e: { m: cpu.memory, ...cpu.runtime.functions, 0: runHandler } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  const run = instance.exports[REGION] as (block: number) => number;
  const region: Region = { number: cpu.regions.number(), run, blocks, siteBlock, siteIndex };
  cpu.regions.add(region);
  for (const [index, block] of blocks.entries()) {
    block.region = region;
    block.entry = index;
    block.regions.push(region);
    cpu.regions.enter(block, region);
  }
}

/** Forgets all regions that a block is in; their other blocks must become hot again. */
export function forgetRegions(cpu: Cpu, block: Block): void {
  for (const region of [...block.regions]) {
    cpu.regions.forget(region);
    for (const other of region.blocks) {
      other.regions = other.regions.filter((its) => its !== region);
      if (other.region !== region) continue;
      other.region = null;
      other.heat = 0;
    }
  }
}
