/**
 * WebAssembly binaries by hand: an encoder for small modules. Imports nothing.
 * Source: WebAssembly core specification 2.0, chapter 5.
 */

export const I32 = 0x7f;

export function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

export function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest & 0x7f];
}

/** i32.const */
export function constant(value: number): number[] {
  return [0x41, ...signedLeb(value)];
}

export interface Signature {
  parameters: number;
  results: number;
}

export interface ModuleParts {
  imports?: readonly { module: string; field: string; type: Signature }[];
  functions: readonly { name: string; type: Signature; locals: number; localType?: number; code: readonly number[] }[];
  /** Initial values of mutable globals, exported as g0, g1, …. */
  globals?: readonly number[];
  pages?: number;
  /** Functions of the table, from entry 1 on. */
  table?: readonly number[];
  data?: readonly { address: number; bytes: readonly number[] }[];
  start?: number;
}

const vector = (items: readonly (readonly number[])[]) => [...unsignedLeb(items.length), ...items.flat()];
const text = (name: string) => [...unsignedLeb(name.length), ...new TextEncoder().encode(name)];
const section = (id: number, bytes: readonly number[]) => [id, ...unsignedLeb(bytes.length), ...bytes];
const sameType = (a: Signature, b: Signature) => a.parameters === b.parameters && a.results === b.results;

/** All signatures that a module may use: type index = parameters * 2 + results. */
const TYPES: Signature[] = Array.from({ length: 18 }, (_, i) => ({ parameters: i >> 1, results: i & 1 }));

/** The type index of a signature. */
export function typeIndex(type: Signature): number {
  return TYPES.findIndex((other) => sameType(other, type));
}

/** A module's binary; each function is exported under its name, and named so. */
export function buildWasm(parts: ModuleParts): Uint8Array {
  const { imports = [], functions, globals = [], pages = 1, table = [], data = [], start } = parts;
  const types = TYPES.map(({ parameters, results }) => [
    ...[0x60, ...vector(new Array(parameters).fill([I32])), ...vector(new Array(results).fill([I32]))],
  ]);
  const index = (i: number) => unsignedLeb(imports.length + i);
  const exported = [
    ...functions.map(({ name }, i) => [...text(name), 0, ...index(i)]),
    ...globals.map((_, i) => [...text(`g${i}`), 3, i]),
    [...text("memory"), 2, 0],
  ];
  const bodies = functions.map(({ locals, localType = I32, code }) => {
    const body = [...(locals > 0 ? [1, ...unsignedLeb(locals), localType] : [0]), ...code, 0x0b];
    return [...unsignedLeb(body.length), ...body];
  });
  const names = functions.map(({ name }, i) => [...index(i), ...text(name)]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imports.map((i) => [...text(i.module), ...text(i.field), 0, typeIndex(i.type)]))),
    ...section(3, vector(functions.map(({ type }) => [typeIndex(type)]))),
    ...section(4, vector([[0x70, 0, ...unsignedLeb(table.length + 1)]])),
    ...section(5, vector([[0, ...unsignedLeb(pages)]])),
    ...section(6, vector(globals.map((value) => [I32, 1, ...constant(value), 0x0b]))),
    ...section(7, vector(exported)),
    ...(start === undefined ? [] : section(8, index(start))),
    ...section(9, vector([[0, ...constant(1), 0x0b, ...vector(table.map(index))]])),
    ...section(10, vector(bodies)),
    ...section(
      11,
      vector(data.map(({ address, bytes }) => [0, ...constant(address), 0x0b, ...vector([...bytes].map((b) => [b]))])),
    ),
    ...section(0, [...text("name"), ...section(1, vector(names))]),
  ]);
}
