/**
 * The runtime: WebAssembly functions that every region of a processor calls, in one module. The interpreter's handlers call
 * the flat transfers too, so that there is one of each. May import the other files of compile/, paging.ts, and the type of
 * the processor.
 */

import type { Cpu } from "../cpu";
import { fillHostTlb } from "../paging";
import { fillWords, isZeroPage, touch } from "./bulk";
import { CONDITION_FUNCTIONS } from "./conditions";
import { dispatch } from "./dispatch";
import { enterFlat, type FlatEntry, loadFlat, returnFlat } from "./flat";
import { Callee, TYPES, Type } from "./frame";
import { fill, type WalkPlan } from "./walk";
import { moduleBytes } from "./wasm";

/** Functions that only TypeScript calls, by their number: behind those that regions import. */
const Own = { Dispatch: Callee.Handler, Touch: Callee.Handler + 1, IsZeroPage: Callee.Handler + 2 };

export interface Runtime {
  /** Its functions by number, as a region's module imports them. */
  readonly functions: Readonly<Record<string, unknown>>;
  /** flat.ts says what they do. */
  enterFlat(
    vector: number,
    software: number,
    flags: number,
    errorCode: number,
    pushesError: number,
    eip: number,
  ): FlatEntry;
  returnFlat(): FlatEntry;
  loadFlat(segment: number, selector: number): number;
  /** bulk.ts. */
  touch(linear: number, write: number): number;
  isZeroPage(host: number): number;
  fillWords(host: number, value: number, words: number): void;
  /** dispatch.ts. */
  dispatch(region: number, block: number): number;
}

function walkPlan({ tlb, blocks, memoryBytes, costs }: Cpu): WalkPlan {
  return {
    ...(tlb.geometry.randomSeed < 0 ? { small: tlb.small } : {}),
    largeSlots: tlb.large.slotOf.byteOffset,
    codeFrames: blocks.codeFrames.byteOffset,
    memoryBytes,
    walkRead: costs.walkRead,
  };
}

/** The runtime of a processor whose TLB and block cache are there already. */
export function makeRuntime(cpu: Cpu): Runtime {
  const plan = walkPlan(cpu);
  const definitions = [
    fill(plan, false),
    fill(plan, true),
    loadFlat(),
    enterFlat(),
    returnFlat(),
    ...CONDITION_FUNCTIONS,
    fillWords(),
    dispatch(cpu.regions),
    touch(),
    isZeroPage(),
  ];
  const translate = (linear: number, write: number): number => fillHostTlb(cpu, linear, write);
  const module = new WebAssembly.Module(moduleBytes(TYPES, [Type.Binary], definitions, true));
  const { exports: functions } = new WebAssembly.Instance(module, {
    e: { m: cpu.memory, t: cpu.regions.functions, 0: translate },
  });
  return {
    functions,
    enterFlat: functions[Callee.EnterFlat] as Runtime["enterFlat"],
    returnFlat: functions[Callee.ReturnFlat] as Runtime["returnFlat"],
    loadFlat: functions[Callee.LoadFlat] as Runtime["loadFlat"],
    dispatch: functions[Own.Dispatch] as Runtime["dispatch"],
    touch: functions[Own.Touch] as Runtime["touch"],
    isZeroPage: functions[Own.IsZeroPage] as Runtime["isZeroPage"],
    fillWords: functions[Callee.FillWords] as Runtime["fillWords"],
  };
}
