// Makes {{name}}.wasm of app.js.
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize(await readFile('app.js', 'utf8'), {
  witPath: 'wit',
  worldName: 'handler',
  sourceName: 'app.js',
});
await writeFile('{{name}}.wasm', component);
