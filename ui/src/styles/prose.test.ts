import { readFileSync, readdirSync } from 'node:fs';

import { expect, it } from 'vitest';

const RENDERER = '../src-tauri/crates/markdown/src';
const sources = readdirSync(RENDERER, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.rs') && !path.endsWith('tests.rs'))
  .map((path) => readFileSync(`${RENDERER}/${path}`, 'utf8'))
  .join('\n');
const sheets = ['prose', 'formulas'].map((name) => readFileSync(`src/styles/${name}.css`, 'utf8')).join('\n');

/** Every class that the renderer writes: in attributes, for code pieces, and for colours. */
const classes = new Set(
  [...sources.matchAll(/class=\\"([\w -]+)\\"|"((?:code|hl-[a-z]+)(?: [\w-]+)*)"|" (code-[a-z]+)"/g)]
    .flatMap(([, ...found]) => found.filter(Boolean).join(' ').split(' '))
    .filter(Boolean),
);

it('has a rule for every class that the renderer writes', () => {
  expect(classes.size).toBeGreaterThan(35);
  for (const known of ['plain', 'raw', 'footnote-ref', 'alert-title', 'hl-keyword', 'math-display']) {
    expect(classes).toContain(known);
  }
  // The page puts all the pieces of one block of code into one box.
  const joined = ['code-open', 'code-more'];
  const bare = [...classes].filter((name) => !joined.includes(name) && !new RegExp(`\\.${name}(?![\\w-])`).test(sheets));
  expect(bare).toEqual([]);
});

it('lays out the tables of formulas', () => {
  for (const name of ['menv-alignlike', 'menv-cases', 'menv-arraylike', 'cell-left', 'cell-right', 'menv-hline']) {
    expect(sheets).toContain(`.${name}`);
  }
});
