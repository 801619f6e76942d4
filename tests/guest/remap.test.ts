/** userland/tests/remap.ts, case by case, in both fork modes. */
import { guestTests } from "./guest";

await guestTests("remap");
