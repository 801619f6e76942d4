/** userland/tests/vfork.ts and clone.ts, case by case, in all fork modes. */
import { guestTests } from "./guest";

await guestTests("vfork");
await guestTests("clone");
