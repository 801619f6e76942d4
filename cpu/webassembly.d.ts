/** The one thing that cpu/ takes from its host beyond ECMAScript: a linear memory that compiled code could share. */
declare namespace WebAssembly {
  class Memory {
    /** `initial` and `maximum` in pages of 64 KB. Throws RangeError when the host has no room. */
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }
}
