/** userland/tests/procpages.ts, case by case, in every fork mode. */
import { guestTests } from "./guest";

await guestTests("procpages");
