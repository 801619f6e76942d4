/**
 * What a section is made of before its layout: items whose sizes are known but for jumps and alignment.
 * May import expression.
 */
import type { Expression } from "./expression";

/** A field of an item whose value depends on labels: four bytes may get a relocation, fewer must turn out a number. */
export interface Fixup {
  /** Bytes from the item's start. */
  readonly at: number;
  readonly size: 1 | 2 | 4;
  readonly value: Expression;
}

interface Placed {
  readonly line: number;
}

/** Finished bytes but for the fixups. */
export interface BytesItem extends Placed {
  readonly kind: "bytes";
  readonly bytes: Uint8Array;
  readonly fixups: readonly Fixup[];
  /** An instruction, which gets a line record. */
  readonly instruction: boolean;
}

/** A jump or call to a label: opcode bytes and a distance of one or four bytes. */
export interface JumpItem extends Placed {
  readonly kind: "jump";
  /** Bytes before the distance; undefined where the instruction has no such form (CALL; LOOP). */
  readonly short: Uint8Array | undefined;
  readonly long: Uint8Array | undefined;
  readonly target: Expression;
  /** Which of the two the layout took; once long, always long. */
  isLong: boolean;
}

export interface AlignItem extends Placed {
  readonly kind: "align";
  /** A power of two. */
  readonly to: number;
}

export interface SpaceItem extends Placed {
  readonly kind: "space";
  readonly size: number;
  readonly fill: number;
}

export type Item = BytesItem | JumpItem | AlignItem | SpaceItem;

export class Section {
  readonly items: Item[] = [];
  align = 4;

  constructor(readonly name: string) {}

  /** Holds no bytes, only space. */
  get isBss(): boolean {
    return this.name === ".bss";
  }
}

/** A label stands before an item of a section (or at its end). */
export interface Label {
  readonly name: string;
  readonly section: Section;
  readonly item: number;
  readonly line: number;
}
