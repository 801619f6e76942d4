/**
 * What is known to be in memory and in wasm globals at a point of a function: what loads and stores before it left there,
 * as long as nothing can have changed it. Calls, intrinsics and atomic accesses end all knowledge. Imports ir.
 *
 * Two accesses are apart when they have the same base value and disjoint offsets, or both have constant addresses.
 * Wasm globals have no address, so no store reaches them.
 */

import { Access, accessBytes, Op, type Value } from "./ir";

/** A place: base value (null: absolute) plus offset. */
interface Place {
  base: Value | null;
  offset: number;
}

interface Fact extends Place {
  access: Access;
  value: Value;
}

/** Facts kept at most; older ones are forgotten. */
const LIMIT = 48;

export class MemoryFacts {
  private facts: Fact[];
  private readonly globals: Map<number, Value>;

  constructor(inherited: MemoryFacts | undefined) {
    this.facts = inherited === undefined ? [] : inherited.facts.slice();
    this.globals = new Map(inherited?.globals);
  }

  /** Take note of a value of a block; returns what stands for it when it is a load of something known. */
  visit(value: Value): Value | undefined {
    switch (value.op) {
      case Op.Load:
        return this.load(value);
      case Op.Store:
        if (value.atomic) this.forgetAll();
        else this.store(value);
        return undefined;
      case Op.GlobalGet: {
        const held = this.globals.get(value.imm);
        if (held === undefined) this.globals.set(value.imm, value);
        return held;
      }
      case Op.GlobalSet:
        this.globals.set(value.imm, value.args[0]);
        return undefined;
      case Op.MemoryCopy:
      case Op.MemoryFill:
        this.facts = [];
        return undefined;
      case Op.Call:
      case Op.CallIndirect:
      case Op.Intrinsic:
      case Op.Barrier:
        this.forgetAll();
        return undefined;
      default:
        return undefined;
    }
  }

  private forgetAll(): void {
    this.facts = [];
    this.globals.clear();
  }

  private load(value: Value): Value | undefined {
    if (value.atomic) {
      this.forgetAll();
      return undefined;
    }
    const { base, offset } = placeOf(value);
    const fact = this.facts.find((f) => f.base === base && f.offset === offset && f.access === value.access);
    if (fact !== undefined) return fact.value;
    this.add({ base, offset, access: value.access, value });
    return undefined;
  }

  private store(value: Value): void {
    const place = placeOf(value);
    const bytes = accessBytes(value.access);
    this.facts = this.facts.filter((fact) => apart(fact, accessBytes(fact.access), place, bytes));
    const data = value.args[1];
    if (value.access === Access.Word || fits(data, value.access))
      this.add({ ...place, access: value.access, value: data });
  }

  private add(fact: Fact): void {
    if (this.facts.length >= LIMIT) this.facts.shift();
    this.facts.push(fact);
  }
}

/** Base and offset of an access, constant addends taken in. */
function placeOf(access: Value): Place {
  let base = access.args[0];
  let offset = access.imm;
  while (base.op === Op.Add && base.args[1].op === Op.Const) {
    offset = (offset + base.args[1].imm) | 0;
    base = base.args[0];
  }
  return base.op === Op.Const ? { base: null, offset: (offset + base.imm) | 0 } : { base, offset };
}

function apart(a: Place, aBytes: number, b: Place, bBytes: number): boolean {
  if (a.base !== b.base) return false;
  const distance = (b.offset - a.offset) | 0;
  return distance >= aBytes || -distance >= bBytes;
}

/** Whether a stored value reads back as itself through a zero-extending load of the same width. */
function fits(data: Value, access: Access): boolean {
  const limit = accessBytes(access) === 1 ? 0xff : 0xffff;
  if (access === Access.SignedByte || access === Access.SignedHalf) return false;
  if (data.op === Op.Const) return data.imm >= 0 && data.imm <= limit;
  if (data.op === Op.Load) return data.access === Access.Byte || data.access === access;
  return data.op === Op.And && data.args[1].op === Op.Const && data.args[1].imm >= 0 && data.args[1].imm <= limit;
}
