/** `npm run docs:conformance`: writes the tables of docs/conformance.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { PATH, withTables } from "./document";

writeFileSync(PATH, withTables(readFileSync(PATH, "utf8")));
