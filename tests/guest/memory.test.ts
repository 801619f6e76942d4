/** userland/tests/memory.ts, case by case, in both fork modes. */
import { guestTests } from "./guest";

await guestTests("memory");
