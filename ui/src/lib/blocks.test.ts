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

  it('change an earlier block and leave those after it alone', () => {
    blocks.patch(patch(0, paragraphs('one', 'two', 'three'), '<p>grow</p>'));
    const [first, second, third, tail] = host.children;
    blocks.patch({ ...patch(0, paragraphs('ONE', 'two')), more: true });
    expect(host.textContent).toBe('ONEtwothreegrow');
    blocks.patch(patch(2, [block(2, '<p>three</p>')], '<p>grown</p>'));
    expect(host.innerHTML).toBe('<p>ONE</p><p>two</p><p>three</p><p>grown</p>');
    expect(host.children[0]).not.toBe(first);
    expect([host.children[1], host.children[2]]).toEqual([second, third]);
    expect(host.children[1]).toBe(second);
    expect(host.children[2]).toBe(third);
    expect(host.children[3]).not.toBe(tail);
  });

  it('take what is left over away with the last of a change', () => {
    blocks.patch(patch(0, paragraphs('a', 'b', 'c'), '<p>d</p>'));
    blocks.patch({ ...patch(0, paragraphs('A')), more: true });
    expect(host.children).toHaveLength(4);
    blocks.patch(patch(1, []));
    expect(host.innerHTML).toBe('<p>A</p>');
    expect(blocks.length).toBe(1);
  });

  it('adopt the tail that ended as it was shown', () => {
    blocks.patch(patch(0, [], '<p>one</p>'));
    const tail = host.firstElementChild;
    blocks.patch(patch(0, paragraphs('one'), '<p>two</p>'));
    expect(host.firstElementChild).toBe(tail);
    expect(host.innerHTML).toBe('<p>one</p><p>two</p>');
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
  const code = (lines: string, classes = 'code', language = 'sh'): string =>
    `<div class="${classes}" data-lang="${language}"><pre><code>${lines}</code></pre></div>`;
  const run = [
    block(0, code('a\n', 'code code-open')),
    block(1, code('b\n', 'code code-open code-more')),
    block(2, code('c\n', 'code code-more')),
  ];

  it('has one box and one bar for all the blocks that a fence spans', () => {
    blocks.replace([...run, block(3, '<p>after</p>')]);
    expect(host.children).toHaveLength(2);
    expect(host.querySelectorAll('.code-bar')).toHaveLength(1);
    expect(host.querySelectorAll('.code-scroll > pre')).toHaveLength(3);
    expect(host.querySelector('.code-bar span')?.textContent).toBe('sh');
    expect(host.querySelector('button')?.getAttribute('aria-label')).toBe('Copy code');
  });

  it('is copied whole, and without the fence after it', () => {
    blocks.replace([...run, block(3, code('x'))]);
    const [first, second] = host.querySelectorAll('.code-copy');
    expect(codeAround(first!)).toBe('a\nb\nc\n');
    expect(codeAround(second!)).toBe('x');
  });

  it('has its bar in lists, too', () => {
    blocks.replace([block(0, `<ul><li>${code('x\n')}</li></ul>`)]);
    expect(codeAround(host.querySelector('.code-copy')!)).toBe('x\n');
  });

  it('has its bar while it grows, and keeps the boxes that may be scrolled', () => {
    blocks.patch(patch(0, [], code('<span>let</span> x')));
    expect(host.querySelectorAll('.code-copy')).toHaveLength(1);
    const kept = ['.code', '.code-scroll', 'pre', 'code', 'span'].map((css) => host.querySelector(css));
    blocks.patch(patch(0, [], code('<span>let</span> x = 1;\n')));
    blocks.patch(patch(0, [block(0, code('<span>let</span> x = 1;\n', 'code code-open'))], code('y', 'code code-more')));
    blocks.patch(patch(1, [], code('yes', 'code code-more')));
    blocks.patch(patch(1, [block(1, code('yes\n', 'code code-more'))], '<p>so</p>'));
    expect(['.code', '.code-scroll', 'pre', 'code', 'span'].map((css) => host.querySelector(css))).toEqual(kept);
    expect(host.querySelector('span')).toBe(kept[4]);
    expect(codeAround(host.querySelector('.code-copy')!)).toBe('let x = 1;\nyes\n');
    expect(host.children).toHaveLength(2);
  });

  it('shows the same whichever way it came to it', () => {
    const ways: Block[][] = [
      paragraphs('a', 'b', 'c'),
      run,
      [block(0, code('a\n')), block(1, '<p>b</p>')],
      [block(0, '<p>a</p>'), block(1, code('b\n', 'code code-open')), block(2, code('c\n', 'code code-more'))],
      [block(0, code('a\n', 'code code-open')), block(1, code('z\n', 'code code-more')), block(2, '<p>c</p>')],
      [block(0, code('a\n', 'code', 'py')), block(1, code('b\n')), block(2, code('c\n', 'code', 'py'))],
      [],
    ];
    for (const before of ways) {
      for (const after of ways) {
        blocks.replace(before);
        for (const [at, one] of after.entries()) blocks.patch({ from: at, append: [one], tail: null, more: true });
        blocks.patch({ from: after.length, append: [], tail: null });
        expect(host.innerHTML).toBe(shownAtOnce(after));
      }
    }
  });
});
