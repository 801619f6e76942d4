/** userland/tests/signals.ts, case by case, in both fork modes. */
import { guestTests } from "./guest";

await guestTests("signals");
