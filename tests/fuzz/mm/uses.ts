/**
 * What an operation does to things that several processes may see: the memory of the shared zone and the two files. Told by the
 * addresses alone, on the safe side: a process may have private memory there. May import program.
 */
import { Base, Keep, Op } from "../../../userland/fuzz/format";
import { baseOf, type Operation } from "./program";

/** The shared zone's memory, or a file. */
export const enum Thing {
  Memory = 0,
  FileA = 1,
  FileB = 2,
}

export const fileThing = (file: number): Thing => (file === 0 ? Thing.FileA : Thing.FileB);

export interface Uses {
  used: readonly Thing[];
  changed: readonly Thing[];
}

const NOTHING: readonly Thing[] = [];
const MAP_SHARED = 1;

/** What a place shows; `result` is what Base.Result shows. */
export function thingsAt(place: number, result: Thing | undefined): readonly Thing[] {
  switch (baseOf(place)) {
    case Base.Shared:
      return [Thing.Memory];
    case Base.FileA:
      return [Thing.FileA];
    case Base.FileB:
      return [Thing.FileB];
    case Base.Result:
      return result === undefined ? NOTHING : [result];
    default:
      return NOTHING;
  }
}

/** What the operation uses and changes. */
export function usesOf({ op, args }: Operation, result: Thing | undefined): Uses {
  const at = (index: number) => thingsAt(args[index], result);
  switch (op) {
    case Op.Write:
    case Op.Fill:
    case Op.Name:
    case Op.Signal:
      return { used: NOTHING, changed: at(0) };
    case Op.Read:
    case Op.Exec:
    // Both fill what they lock.
    case Op.Mlock:
    case Op.Mremap:
      return { used: at(0), changed: NOTHING };
    case Op.Copy:
      return { used: at(1), changed: at(0) };
    case Op.Send:
      return { used: at(1), changed: NOTHING };
    case Op.Receive:
    case Op.Wait:
      return { used: NOTHING, changed: at(1) };
    // The position in a file is shared, so even reading changes it.
    case Op.FileRead:
      return { used: NOTHING, changed: [fileThing(args[0]), ...at(2)] };
    case Op.FileWrite:
      return { used: at(2), changed: [fileThing(args[0])] };
    case Op.Truncate:
      return { used: NOTHING, changed: [fileThing(args[0])] };
    case Op.Mlockall:
      return { used: [Thing.Memory, Thing.FileA, Thing.FileB], changed: NOTHING };
    default:
      return { used: NOTHING, changed: NOTHING };
  }
}

/** What Base.Result shows after the operation. */
export function resultAfter({ op, args }: Operation, result: Thing | undefined): Thing | undefined {
  if (op === Op.Exec) return undefined;
  if (op === Op.Mremap && args[5] === Keep.Result) return thingsAt(args[0], result)[0];
  if (op !== Op.Mmap || args[6] !== Keep.Result) return result;
  if (args[4] > 0) return fileThing(args[4] - 1);
  return (args[3] & MAP_SHARED) !== 0 ? Thing.Memory : undefined;
}
