// Makes count.wasm of count.js, with the interfaces that `weir new` puts into projects.
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize(await readFile('count.js', 'utf8'), {
  witPath: '../../../crates/weir/templates/function/wasi',
  worldName: 'handler',
  sourceName: 'count.js',
});
await writeFile('count.wasm', component);
