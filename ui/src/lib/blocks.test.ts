// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest';

import type { Block } from '../bindings/Block';
import { Blocks, codeAround, type Patch } from './blocks';

const block = (index: number, html: string): Block => ({ index, html });
const paragraphs = (...texts: string[]): Block[] => texts.map((text, at) => block(at, `<p>${text}</p>`));
const patch = (from: number, append: Block[], tail: string | null = null): Patch => ({
  from,
  append,
  tail: tail === null ? null : block(from + append.length, tail),
});

let host: HTMLElement;
let blocks: Blocks;
beforeEach(() => {
  host = document.createElement('div');
  blocks = new Blocks(host);
});

function shownAtOnce(all: Block[]): string {
  const whole = document.createElement('div');
  new Blocks(whole).replace(all);
  return whole.innerHTML;
}

describe('patches', () => {
  const final = [
    ...paragraphs('one', 'two'),
    block(2, '<div class="code" data-lang="rust"><pre><code>let x = 1;\n</code></pre></div>'),
    block(3, '<p>three</p>'),
  ];

  it('fold to what the stored message shows, however they are cut', () => {
    for (let size = 1; size <= final.length; size += 1) {
      for (const tail of [null, '<p>grow</p>']) {
        const target = document.createElement('div');
        const cut = new Blocks(target);
        for (let from = 0; from < final.length; from += size) {
          cut.patch(patch(from, [], tail));
          cut.patch(patch(from, final.slice(from, from + size)));
        }
        expect(target.innerHTML).toBe(shownAtOnce(final));
      }
    }
  });

  it('never touch a finished block again', () => {
    blocks.patch(patch(0, final.slice(0, 2), '<p>th</p>'));
    const before = [...host.children].slice(0, 2);
    blocks.patch(patch(2, [], '<p>thr</p>'));
    blocks.patch(patch(2, final.slice(2), null));
    expect([...host.children].slice(0, 2)).toEqual(before);
    expect(host.children[0]).toBe(before[0]);
  });

  it('replace the tail and take it away when there is none', () => {
    blocks.patch(patch(0, [], '<p>a</p>'));
    blocks.patch(patch(0, [], '<p>ab</p>'));
    expect(host.innerHTML).toBe('<p>ab</p>');
    blocks.patch(patch(0, []));
    expect(host.innerHTML).toBe('');
  });

  it('leave a tail that did not change alone', () => {
    blocks.patch(patch(0, [], '<p>a</p>'));
    const tail = host.lastElementChild;
    blocks.patch(patch(0, [], '<p>a</p>'));
    expect(host.lastElementChild).toBe(tail);
  });

  it('go back to an earlier block when a later line changed its meaning', () => {
    blocks.patch(patch(0, paragraphs('one', 'two', 'three'), '<p>t</p>'));
    blocks.patch(patch(1, [block(1, '<h2>two</h2>')], '<p>x</p>'));
    expect(host.innerHTML).toBe('<p>one</p><h2>two</h2><p>x</p>');
    expect(blocks.length).toBe(2);
  });

  it('wrap what is no single element, so that blocks stay countable', () => {
    blocks.patch(patch(0, [block(0, 'text <b>and</b> more')]));
    expect(host.children).toHaveLength(1);
    expect(host.textContent).toBe('text and more');
  });
});

describe('the stored message', () => {
  it('replaces only the blocks that differ', () => {
    blocks.patch(patch(0, paragraphs('one', 'two', 'three')));
    const [first, second, third] = host.children;
    blocks.replace(paragraphs('one', 'TWO', 'three'));
    expect(host.children[0]).toBe(first);
    expect(host.children[1]).not.toBe(second);
    expect(host.children[2]).toBe(third);
    expect(host.innerHTML).toBe('<p>one</p><p>TWO</p><p>three</p>');
  });

  it('keeps the tail where it is when it ended as it was shown', () => {
    blocks.patch(patch(0, paragraphs('one'), '<p>two</p>'));
    const tail = host.lastElementChild;
    blocks.replace(paragraphs('one', 'two'));
    expect(host.lastElementChild).toBe(tail);
    expect(blocks.length).toBe(2);
  });

  it('takes away what it does not hold', () => {
    blocks.patch(patch(0, paragraphs('one', 'two', 'three'), '<p>four</p>'));
    blocks.replace(paragraphs('one'));
    expect(host.innerHTML).toBe('<p>one</p>');
  });
});

describe('code', () => {
  const open = block(0, '<div class="code code-open" data-lang="sh"><pre><code>a</code></pre></div>');
  const middle = block(1, '<div class="code code-open code-more" data-lang="sh"><pre><code>b\n</code></pre></div>');
  const last = block(2, '<div class="code code-more" data-lang="sh"><pre><code>c\n</code></pre></div>');

  it('has one bar for all the blocks that a fence spans, with its language', () => {
    blocks.replace([open, middle, last]);
    expect(host.querySelectorAll('.code-bar')).toHaveLength(1);
    expect(host.querySelector('.code-bar span')?.textContent).toBe('sh');
    expect(host.querySelector('button')?.getAttribute('aria-label')).toBe('Copy code');
  });

  it('has its bar while it still grows', () => {
    blocks.patch({ from: 0, append: [], tail: open });
    const bar = host.querySelector('.code-bar');
    expect(bar).not.toBe(null);
    blocks.replace([open]);
    expect([...host.querySelectorAll('.code-bar')]).toEqual([bar]);
  });

  it('is copied whole', () => {
    blocks.replace([open, middle, last]);
    expect(codeAround(host.querySelector('.code-copy')!)).toBe('a\nb\nc\n');
  });

  it('does not copy the fence after it', () => {
    const alone = block(0, '<div class="code" data-lang=""><pre><code>x</code></pre></div>');
    blocks.replace([alone, { ...alone, index: 1 }]);
    expect(codeAround(host.querySelector('.code-copy')!)).toBe('x');
  });
});
