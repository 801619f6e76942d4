/**
 * How the kernel lays out its data, as asc laid it out: every @unmanaged class of kernel/ with the offsets of its fields, and
 * every constant (static storage included: `memory.data` is one) and enum value. Written into the image as a section of its
 * own, as debug information is, so that what looks into a running kernel never repeats a layout by hand. May import nothing.
 */

/** Name of the section of the ELF file that holds a SourceLayout as JSON. It is not loaded. */
export const LAYOUT_SECTION = ".tine.layout";
/** Raised with every change of SourceLayout's shape. */
export const LAYOUT_VERSION = 1;

export interface FieldLayout {
  /** Bytes from the start of the struct. */
  offset: number;
  bytes: number;
}

export interface StructLayout {
  bytes: number;
  fields: Record<string, FieldLayout>;
}

export interface SourceLayout {
  version: number;
  /** By class name. */
  structs: Record<string, StructLayout>;
  /** uint32 by name: `mm/layout/KERNEL_BASE`, `mm/page/FrameKind.Table`; of static storage, its address. */
  constants: Record<string, number>;
}

/** What is used of asc's Program. An element's class is told by what it has: asc exports no names of its kinds. */
export interface LayoutProgram {
  elementsByName: Map<string, AscElement>;
}
interface AscElement {
  internalName: string;
  name: string;
  /** Of a class prototype: its instances by type arguments. */
  instances?: Map<string, AscElement> | null;
  members?: Map<string, AscElement> | null;
  /** Of a class: its size in bytes. */
  nextMemoryOffset?: number;
  /** Of a member of a class that is a field or property: what it is in this class. */
  instance?: { memoryOffset: number; type: { byteSize: number } } | null;
  /** Of an enum value: 1 for an integer. */
  constantValueKind?: number;
  constantIntegerValue?: unknown;
}

const INTEGER = 1;
const FOLDER = "kernel/";

/**
 * The layout of a compiled program; what it never uses may be missing. `constantOf` gives the value of a global that never
 * changes, by asc's name for it.
 */
export function describeLayout(
  { elementsByName }: LayoutProgram,
  constantOf: (name: string) => number | undefined,
): SourceLayout {
  const layout: SourceLayout = { version: LAYOUT_VERSION, structs: {}, constants: {} };
  for (const [name, element] of [...elementsByName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.startsWith(FOLDER) || name !== element.internalName) continue;
    const value = element.constantValueKind === INTEGER ? integer(element) : constantOf(name);
    if (value !== undefined) layout.constants[name.slice(FOLDER.length)] = value >>> 0;
    for (const instance of element.instances?.values() ?? []) {
      if (instance.nextMemoryOffset !== undefined) layout.structs[instance.name] = describeStruct(instance);
    }
  }
  return layout;
}

/** asc keeps a 64-bit integer as an object whose text is decimal. */
function integer({ constantIntegerValue }: AscElement): number {
  return Number(String(constantIntegerValue));
}

function describeStruct(instance: AscElement): StructLayout {
  const fields: Record<string, FieldLayout> = {};
  for (const { name, instance: field } of instance.members?.values() ?? []) {
    if (field && field.memoryOffset >= 0) fields[name] = { offset: field.memoryOffset, bytes: field.type.byteSize };
  }
  return { bytes: instance.nextMemoryOffset ?? 0, fields };
}
