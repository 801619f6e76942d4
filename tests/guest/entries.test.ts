/** userland/tests/entries.ts, case by case: P21, P33, P34, P53, P56. */
import { guestTests } from "./guest";

await guestTests("entries");
