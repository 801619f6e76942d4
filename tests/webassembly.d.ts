/** What tests run compiled TypeScript with besides our own CPU: V8's WebAssembly, as far as they use it. */
declare namespace WebAssembly {
  class RuntimeError extends Error {}
  /** Compiles and links. Rejects when the bytes are no module or an import is missing. */
  function instantiate(
    bytes: Uint8Array<ArrayBuffer>,
    imports: Record<string, Record<string, unknown>>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): { module: string; name: string; kind: string }[];
  }
}
