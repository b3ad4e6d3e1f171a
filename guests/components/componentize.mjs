// componentize.mjs SOURCE WIT WORLD OUT [FEATURE_TO_LEAVE_OUT...]
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [source, witPath, worldName, out, ...disableFeatures] = process.argv.slice(2);
const sourceName = basename(source);
const { component } = await componentize(await readFile(source, 'utf8'), {
  witPath, worldName, sourceName, disableFeatures,
});
await writeFile(out, component);
