/** `npm run docs:gdb`: writes what gdb prints now into the document. */
import { writeFileSync } from "node:fs";
import { DOCUMENT, runDocument, updated } from "./document";

writeFileSync(DOCUMENT, updated(await runDocument()));
