/** Imported first: every rig that is made afterwards compiles each block before it runs it. */
import { Rig } from "../rig";

Rig.compileAfter = 0;
