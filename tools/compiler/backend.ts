/**
 * The back end: a WebAssembly module to an i386 object file. This file is the pipeline; each step is a file of its name.
 * Imports the passes, and nothing outside tools/compiler but cpu/encoder (by way of emitencode).
 */

import { allocate } from "./allocate";
import type { FunctionVariables } from "./ascvariables";
import { analyse, cleanGraph, splitCriticalEdges } from "./cfg";
import { checkAllocation } from "./checkallocation";
import { expandFunction } from "./emitexpand";
import { layOut, shapeBlocks } from "./emitlayout";
import { ObjectBuilder } from "./emitobject";
import { improve } from "./emitpeephole";
import { variablesOf } from "./emitvariables";
import { type BuildContext, buildFunction } from "./irbuild";
import { lowerFunction } from "./lower";
import type { Allocation, MachineFunction } from "./mir";
import type { ObjectFile } from "./object";
import { splitConditions } from "./optbranch";
import { removeDead } from "./optdead";
import { expandOperations } from "./optexpand";
import { hoistInvariants } from "./opthoist";
import { threadJumps } from "./optthread";
import { numberValues } from "./optvalue";
import { printAssembly, printIr, printMachine } from "./print";
import { decodeModule, type Locate, type WasmModule } from "./wasm";

export interface BackendOptions {
  /** For messages: what is being compiled. */
  name: string;
  /** Source place of a byte of the wasm binary. */
  locate: Locate;
  /** What the source says of a function's variables, by its name in the module; for debug information. */
  variables?: ReadonlyMap<string, FunctionVariables>;
  /** The wasm import module whose functions are emitted in place. */
  intrinsicModule?: string;
  /** Called with each allocation's input and output, before it is checked. */
  onAllocation?(machine: MachineFunction, allocation: Allocation): void;
  /** Called with the text of each pass of each function: `ir`, `machine`, `assembly`. */
  dump?(pass: string, text: string): void;
}

/**
 * Compile a module.
 * @throws CompileError at the source line of what cannot be compiled (64-bit and floating-point types, a start function,
 * managed allocation, an unknown intrinsic), AllocationError where a register allocation is wrong: a fault of the compiler.
 */
export function compileModule(wasm: Uint8Array, options: BackendOptions): ObjectFile {
  const { name, locate, dump } = options;
  const module = decodeModule(wasm, name, locate);
  const object = new ObjectBuilder(module, name, locate);
  const intrinsicModule = options.intrinsicModule ?? "intrinsics";
  const context: BuildContext = {
    module,
    name,
    locate,
    intrinsicModule,
    stringAt: stringReader(module),
    variables: (name) => options.variables?.get(name),
  };
  for (const source of module.functions) {
    if (source.imported !== null) continue;
    const fn = buildFunction(source, context);
    analyse(fn);
    cleanGraph(fn);
    numberValues(fn);
    cleanGraph(fn);
    expandOperations(fn);
    cleanGraph(fn);
    if (threadJumps(fn)) cleanGraph(fn);
    hoistInvariants(fn);
    removeDead(fn);
    splitConditions(fn);
    splitCriticalEdges(fn);
    dump?.("ir", printIr(fn));
    const machine = lowerFunction(fn, object);
    dump?.("machine", printMachine(machine));
    const allocation = allocate(machine);
    options.onAllocation?.(machine, allocation);
    checkAllocation(machine, allocation);
    const blocks = expandFunction(machine, allocation, module.table.length);
    improve(blocks);
    shapeBlocks(blocks);
    improve(blocks);
    const code = layOut(blocks, object.makeTable);
    dump?.("assembly", printAssembly(fn.name, code));
    object.addFunction(source.name, code, variablesOf(machine, allocation));
  }
  return object.finish();
}

/** Reads AssemblyScript strings from the module's data: UTF-16, with the length in bytes in the word before. */
function stringReader(module: WasmModule): (address: number) => string | undefined {
  const byteAt = (address: number): number => {
    for (const segment of module.data) {
      const at = address - segment.address;
      if (at >= 0 && at < segment.bytes.length) return segment.bytes[at];
    }
    return 0;
  };
  const half = (address: number) => byteAt(address) | (byteAt(address + 1) << 8);
  const STRING_CLASS = 2;
  return (address) => {
    const length = half(address - 4) | (half(address - 2) << 16);
    if (half(address - 8) !== STRING_CLASS || length < 0 || length > 0xffff) return undefined;
    let text = "";
    for (let i = 0; i < length; i += 2) text += String.fromCharCode(half(address + i));
    return text;
  };
}
