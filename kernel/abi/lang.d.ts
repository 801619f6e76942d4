/**
 * The language of kernel/ and userland/, as tsc sees it: AssemblyScript's integer types and the builtins that we allow.
 * There is no standard library: reaching for Math, Array or Promise is a type error. asc brings its own declarations and
 * never reads this file; it is the stricter of the two on integers (it rejects `u32 < i32`), tsc on names and shapes.
 */

declare type i8 = number;
declare type u8 = number;
declare type i16 = number;
declare type u16 = number;
declare type i32 = number;
declare type u32 = number;
declare type isize = number;
declare type usize = number;
declare type bool = boolean;

/** Conversions: truncate or extend an integer (or 0/1 of a bool) to the named type. */
declare function i8(value: number | boolean): i8;
declare function u8(value: number | boolean): u8;
declare function i16(value: number | boolean): i16;
declare function u16(value: number | boolean): u16;
declare function i32(value: number | boolean): i32;
declare function u32(value: number | boolean): u32;
declare function usize(value: number | boolean): usize;
declare function bool(value: number | boolean): bool;

/** Raw memory. Addresses are virtual; `offset` must be a constant. Plain loads may be merged by the optimiser. */
declare function load<T>(address: usize, offset?: usize): T;
declare function store<T>(address: usize, value: number, offset?: usize): void;
declare namespace atomic {
  /** A load that happens exactly once, where it stands: devices, page tables, words that an interrupt changes. */
  function load<T>(address: usize, offset?: usize): T;
  function store<T>(address: usize, value: number, offset?: usize): void;
}
declare namespace memory {
  function copy(destination: usize, source: usize, bytes: usize): void;
  function fill(destination: usize, value: u8, bytes: usize): void;
  /** `bytes` of zeroed static storage; the address is a constant. */
  function data(bytes: i32, align?: i32): usize;
}

/** Reinterpret: a struct as its address, an address as a struct. */
declare function changetype<T>(value: unknown): T;
/** Byte offset of a field; without a name, the size of the struct (sizeof gives a pointer's). */
declare function offsetof<T>(field?: string): usize;
declare function sizeof<T>(): usize;

declare function clz<T>(value: T): T;
declare function ctz<T>(value: T): T;
declare function popcnt<T>(value: T): T;
declare function rotl<T>(value: T, count: T): T;
declare function rotr<T>(value: T, count: T): T;
declare function select<T>(ifTrue: T, ifFalse: T, condition: boolean): T;
declare function min<T>(left: T, right: T): T;
declare function max<T>(left: T, right: T): T;
declare function unreachable(): never;
declare function assert<T>(condition: T, message?: string): T;
/** Array access without the bounds check. */
declare function unchecked<T>(value: T): T;
declare function call_indirect<T>(index: u32, ...args: unknown[]): T;

/** A class without header or garbage collection: a C struct. Every field needs an initialiser, which nothing runs. */
declare function unmanaged(target: unknown): void;
/** Always inlined; on static methods only. */
declare function inline(target: unknown, key: string, descriptor: unknown): void;

/** A constant table in static memory. */
declare class StaticArray<T> {
  [index: number]: T;
  readonly length: i32;
}

// What the compiler of TypeScript itself wants to find when there is no library.
interface Array<T> {
  [index: number]: T;
}
type Boolean = {};
type CallableFunction = {};
interface Function {
  /** Its number in the table of functions; 0 is none. */
  readonly index: u32;
}
type IArguments = {};
type NewableFunction = {};
type Number = {};
type Object = {};
type RegExp = {};
type String = {};
interface TypedPropertyDescriptor<T> {
  value?: T;
}
