/** userland/tests/vfork.ts, vforkmemory.ts, clone.ts and clonecalls.ts, case by case, in all fork modes. */
import { guestTests } from "./guest";

await guestTests("vfork");
await guestTests("clone");
await guestTests("clonecalls");
await guestTests("vforkmemory", { memoryMB: 16 });
