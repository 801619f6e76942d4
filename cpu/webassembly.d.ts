/** The one thing that cpu/ takes from its host beyond ECMAScript: a linear memory, and modules that share it. */
declare namespace WebAssembly {
  class Memory {
    /** `initial` and `maximum` in pages of 64 KB. Throws RangeError when the host has no room. */
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }
  class Table {
    constructor(descriptor: { element: "anyfunc"; initial: number });
    readonly length: number;
    grow(by: number): number;
    set(index: number, value: ((...args: number[]) => unknown) | null): void;
  }
  class Module {
    /** Throws CompileError for bytes that are no module. */
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}
