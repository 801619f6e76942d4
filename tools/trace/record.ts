/**
 * The ring of the last instructions and of what happened between them, in typed arrays. May import nothing.
 * Ordinals count instructions since the recording began; an event's ordinal is that of the instruction that follows it.
 */

/** Registers that are recorded, in this order: their values before the instruction. */
export const RECORDED = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eflags", "cr3"] as const;
export const EFLAGS = 8;
/** Bytes kept of an instruction. */
export const CODE_BYTES = 16;

export class InstructionRing {
  /** Instructions recorded so far; the last `capacity` are kept, at ordinal % capacity. */
  total = 0;
  readonly instret: Float64Array;
  readonly eip: Uint32Array;
  readonly cs: Uint16Array;
  readonly cpl: Uint8Array;
  /** Process, or −1 when no switch has been seen. */
  readonly pid: Int32Array;
  /** Counts the times that the process of the record had become another program. */
  readonly image: Uint32Array;
  /** 2 or 4: size of the code segment. */
  readonly codeSize: Uint8Array;
  /** RECORDED.length words a record. */
  readonly registers: Int32Array;
  /** CODE_BYTES a record, of which `codeLength` could be read. */
  readonly code: Uint8Array;
  readonly codeLength: Uint8Array;

  constructor(readonly capacity: number) {
    this.instret = new Float64Array(capacity);
    this.eip = new Uint32Array(capacity);
    this.cs = new Uint16Array(capacity);
    this.cpl = new Uint8Array(capacity);
    this.pid = new Int32Array(capacity);
    this.image = new Uint32Array(capacity);
    this.codeSize = new Uint8Array(capacity);
    this.registers = new Int32Array(capacity * RECORDED.length);
    this.code = new Uint8Array(capacity * CODE_BYTES);
    this.codeLength = new Uint8Array(capacity);
  }

  /** Ordinal of the oldest record that is kept. */
  get first(): number {
    return Math.max(0, this.total - this.capacity);
  }
}

/** Events between instructions; the oldest are dropped first. */
export class EventRing {
  total = 0;
  readonly ordinal: Float64Array;
  readonly kind: Uint8Array;
  readonly a: Uint32Array;
  /** uint32 or −1. */
  readonly b: Float64Array;

  constructor(readonly capacity: number) {
    this.ordinal = new Float64Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.a = new Uint32Array(capacity);
    this.b = new Float64Array(capacity);
  }

  add(ordinal: number, kind: number, a: number, b: number): void {
    const slot = this.total++ % this.capacity;
    this.ordinal[slot] = ordinal;
    this.kind[slot] = kind;
    this.a[slot] = a;
    this.b[slot] = b;
  }

  /** Index of the oldest event that is kept; events go from here to `total`, each at index % capacity. */
  get first(): number {
    return Math.max(0, this.total - this.capacity);
  }
}
