/** userland/tests/limits.ts, case by case, in both fork modes. Little memory, so that it runs out soon. */
import { guestTests } from "./guest";

await guestTests("limits", { memoryMB: 16 });
