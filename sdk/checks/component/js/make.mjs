// node make.mjs SOURCE WIT INTO: makes a component of the world `visitor`.

import { componentize } from "@bytecodealliance/componentize-js";
import { readFile, writeFile } from "node:fs/promises";

const [source, witPath, into] = process.argv.slice(2);
const settings = { witPath, worldName: "visitor", disableFeatures: ["http", "fetch-event"] };
const { component } = await componentize(await readFile(source, "utf8"), settings);
await writeFile(into, component);
