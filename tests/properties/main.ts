/** `npm run properties`: writes docs/properties.md. May import guards. */
import { writeFileSync } from "node:fs";
import { propertiesDocument } from "./guards";

writeFileSync("docs/properties.md", propertiesDocument(process.cwd()));
