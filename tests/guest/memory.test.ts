/** userland/tests/memory.ts, case by case, in both fork modes. Little memory, so that it runs out soon. */
import { guestTests } from "./guest";

await guestTests("memory", { memoryMB: 16 });
