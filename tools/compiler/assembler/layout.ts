/**
 * Sections of items -> bytes: places for labels, long or short jumps, relocations. May import the assembler's other parts
 * but index, and object.
 *
 * Jumps start short. Each round places all items and lengthens the jumps that do not reach; a jump never becomes short
 * again, so the rounds end, and what is short reaches.
 */
import type { LineRecord, ObjectSection, Relocation } from "../object";
import { SyntaxFault } from "./error";
import { type Expression, evaluate, type Scope } from "./expression";
import type { Fixup, Item, JumpItem, Label, Section } from "./section";
import type { Source } from "./source";

const NOP = 0x90;

/** Where everything stands. */
export class Layout implements Scope {
  /** Per section: the offset of each item, and behind them the section's size. */
  private readonly offsets = new Map<Section, number[]>();

  /** Places all items of the source; throws AssembleError when a jump cannot reach. */
  constructor(private readonly source: Source) {
    const sections = [...source.sections.values()];
    do for (const section of sections) this.offsets.set(section, place(section));
    while (sections.some((section) => this.lengthen(section)));
  }

  constant(name: string): Expression | undefined {
    return this.source.constant(name);
  }

  place(name: string): { section: string; offset: number } | undefined {
    const label = this.source.labels.get(name);
    return label && { section: label.section.name, offset: this.offsetOf(label) };
  }

  offsetOf(label: Label): number {
    return this.offsets.get(label.section)![label.item];
  }

  sizeOf(section: Section): number {
    return this.offsets.get(section)!.at(-1)!;
  }

  /** Makes long the jumps of the section that do not reach; whether there were any. */
  private lengthen(section: Section): boolean {
    const offsets = this.offsets.get(section)!;
    let changed = false;
    for (const [i, item] of section.items.entries()) {
      if (item.kind !== "jump" || item.isLong) continue;
      const distance = this.distance(item, section, offsets[i + 1]);
      if (distance !== undefined && distance >= -128 && distance <= 127) continue;
      if (item.long === undefined) throw this.source.error("the target of a short jump is too far away", item.line);
      item.isLong = true;
      changed = true;
    }
    return changed;
  }

  /** Distance from `end` to the target if that is a label of the same section. */
  private distance(item: JumpItem, section: Section, end: number): number | undefined {
    const target = this.at(item.line, () => evaluate(item.target, this));
    const label = target?.symbol === undefined ? undefined : this.place(target.symbol);
    return label?.section === section.name ? label.offset + target!.addend - end : undefined;
  }

  private at<T>(line: number, action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof SyntaxFault) throw this.source.error(error.message, line);
      throw error;
    }
  }

  /** The section's contents; adds its relocations and line records. */
  emit(section: Section, relocations: Relocation[], lines: LineRecord[]): ObjectSection {
    const { name, align } = section;
    const size = this.sizeOf(section);
    const bytes = new Uint8Array(section.isBss ? 0 : size);
    const offsets = this.offsets.get(section)!;
    let lastLine = 0;
    for (const [i, item] of section.items.entries()) {
      const offset = offsets[i];
      const code = item.kind === "jump" || (item.kind === "bytes" && item.instruction);
      if (code && item.line !== lastLine) {
        lines.push({ section: name, offset, file: this.source.fileName, line: item.line });
        lastLine = item.line;
      }
      if (item.kind === "bytes") {
        bytes.set(item.bytes, offset);
        for (const fixup of item.fixups) this.fill(section, bytes, offset, fixup, item.line, relocations);
      } else if (item.kind === "jump") this.jump(section, bytes, offset, offsets[i + 1], item, relocations);
      else if (!section.isBss) {
        bytes.fill(item.kind === "space" ? item.fill : name === ".text" ? NOP : 0, offset, offsets[i + 1]);
      }
    }
    return { name, bytes, size, align };
  }

  private fill(
    section: Section,
    bytes: Uint8Array,
    offset: number,
    fixup: Fixup,
    line: number,
    relocations: Relocation[],
  ): void {
    const value = this.at(line, () => evaluate(fixup.value, this));
    if (value === undefined) throw this.source.error("this is neither a number nor a symbol and a number", line);
    const at = offset + fixup.at;
    const { symbol, addend } = value;
    if (symbol !== undefined) {
      if (fixup.size !== 4) throw this.source.error(`the address of '${symbol}' needs four bytes`, line);
      relocations.push({ section: section.name, offset: at, kind: "abs32", symbol, addend: addend | 0 });
      return;
    }
    const limit = 2 ** (8 * fixup.size);
    if (addend < -limit / 2 || addend >= limit) {
      throw this.source.error(`${addend} does not fit ${fixup.size * 8} bits`, line);
    }
    store(bytes, at, addend, fixup.size);
  }

  private jump(
    section: Section,
    bytes: Uint8Array,
    offset: number,
    end: number,
    item: JumpItem,
    relocations: Relocation[],
  ): void {
    const head = headOf(item);
    bytes.set(head, offset);
    const at = offset + head.length;
    const distance = this.distance(item, section, end);
    if (distance !== undefined) {
      store(bytes, at, distance, end - at);
      return;
    }
    const target = this.at(item.line, () => evaluate(item.target, this));
    if (target?.symbol === undefined) throw this.source.error("a jump goes to a label", item.line);
    const { symbol, addend } = target;
    relocations.push({ section: section.name, offset: at, kind: "rel32", symbol, addend: (addend - 4) | 0 });
  }
}

function headOf(item: JumpItem): Uint8Array {
  const head = item.isLong ? item.long : item.short;
  return head!;
}

function sizeAt(item: Item, offset: number): number {
  switch (item.kind) {
    case "bytes":
      return item.bytes.length;
    case "jump":
      return headOf(item).length + (item.isLong ? 4 : 1);
    case "align":
      return -offset & (item.to - 1);
    default:
      return item.size;
  }
}

/** Offsets of the section's items, and its size. */
function place(section: Section): number[] {
  const offsets = [0];
  let offset = 0;
  for (const item of section.items) {
    offset += sizeAt(item, offset);
    offsets.push(offset);
  }
  return offsets;
}

function store(bytes: Uint8Array, at: number, value: number, size: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >> (8 * i);
}
