/** userland/tests/files.ts, case by case, in both fork modes. */
import { guestTests } from "./guest";

await guestTests("files");
