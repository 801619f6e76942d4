/** userland/tests/filemap.ts, case by case, in both fork modes. */
import { guestTests } from "./guest";

await guestTests("filemap");
