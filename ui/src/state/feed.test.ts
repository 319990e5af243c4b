// @vitest-environment happy-dom
import { expect, it } from 'vitest';

import type { Block } from '../bindings/Block';
import type { Patch } from '../lib/blocks';
import { Feed } from './feed';

const paragraphs = (from: number, ...texts: string[]): Block[] =>
  texts.map((text, at) => ({ index: from + at, html: `<p>${text}</p>` }));
const [grown] = paragraphs(0, 'grow');

it('shows in a new element what the old one showed, in the middle of a change too', () => {
  const patches: Patch[] = [
    { from: 0, append: paragraphs(0, 'a', 'b'), tail: grown! },
    { from: 0, append: paragraphs(0, 'A'), tail: null, more: true },
    { from: 1, append: paragraphs(1, 'B', 'C', 'D'), tail: null, more: true },
    { from: 4, append: [], tail: grown! },
    { from: 1, append: paragraphs(1, 'x'), tail: null },
  ];
  const [old, host] = [document.createElement('div'), document.createElement('div')];
  const feed = new Feed();
  feed.show(old);
  const shown: string[] = [];
  for (const patch of patches) {
    feed.patch(patch);
    shown.push(old.textContent ?? '');
    const other = document.createElement('div');
    other.innerHTML = '<p>of another</p>';
    const hide = feed.show(other);
    expect(other.innerHTML).toBe(old.innerHTML);
    hide();
    feed.show(old);
  }
  expect(shown).toEqual(['abgrow', 'Abgrow', 'ABCD', 'ABCDgrow', 'Ax']);
  feed.show(host);
  expect(host.textContent).toBe('Ax');
});

it('leaves alone the array it was given', () => {
  const blocks = paragraphs(0, 'a', 'b');
  new Feed(blocks).patch({ from: 0, append: [], tail: null });
  expect(blocks).toHaveLength(2);
});
