/**
 * Puts a part's blocks into the page. This is the one place where HTML enters the document, and it
 * goes around the framework: a finished block is appended once and never touched again, only the
 * tail that still grows is replaced. The HTML is made safe by the renderer in Rust.
 */
import type { Block } from '../bindings/Block';

/** What a turn says about a part: keep `from` blocks, append, then show the tail. */
export interface Patch {
  from: number;
  append: Block[];
  tail: Block | null;
}

function toElement(html: string): Element {
  const template = document.createElement('template');
  template.innerHTML = html;
  const { content } = template;
  const [only] = content.children;
  if (only && content.childNodes.length === 1) return only;
  const wrapper = document.createElement('div');
  wrapper.append(content);
  return wrapper;
}

/** The blocks of one part inside their host element. */
export class Blocks {
  readonly #host: Element;
  readonly #finished: string[] = [];
  #tail: { html: string; element: Element } | null = null;

  constructor(host: Element) {
    this.#host = host;
  }

  /** How many finished blocks are shown. */
  get length(): number {
    return this.#finished.length;
  }

  /** Applies one patch of a growing part. */
  patch({ from, append, tail }: Patch): void {
    if (from < this.#finished.length || append.length > 0 || !tail) this.#dropTail();
    this.#truncate(from);
    const added = document.createDocumentFragment();
    for (const { html } of append) {
      this.#finished.push(html);
      added.append(this.#dress(toElement(html)));
    }
    this.#host.append(added);
    if (tail && tail.html !== this.#tail?.html) {
      // With its bar from the first line on: one that came at the end would push the code down.
      const element = this.#dress(toElement(tail.html));
      if (this.#tail) this.#tail.element.replaceWith(element);
      else this.#host.append(element);
      this.#tail = { html: tail.html, element };
    }
  }

  /** Shows exactly these blocks, all finished. Those that are shown already stay as they are. */
  replace(blocks: Block[]): void {
    const grown = this.#tail;
    if (grown && blocks[this.#finished.length]?.html === grown.html) {
      // The tail is what the store holds: it stays where it is, now finished.
      this.#finished.push(grown.html);
      this.#tail = null;
    }
    this.#dropTail();
    this.#truncate(blocks.length);
    blocks.forEach(({ html }, at) => {
      if (this.#finished[at] === html) return;
      const element = this.#dress(toElement(html));
      const old = this.#host.children[at];
      if (old) old.replaceWith(element);
      else this.#host.append(element);
      this.#finished[at] = html;
    });
  }

  #truncate(to: number): void {
    while (this.#finished.length > to) {
      this.#finished.pop();
      this.#host.lastElementChild?.remove();
    }
  }

  #dropTail(): void {
    this.#tail?.element.remove();
    this.#tail = null;
  }

  /** Gives the beginning of a code block its bar: the language and the copy button. */
  #dress(element: Element): Element {
    if (!element.classList.contains('code') || element.classList.contains('code-more')) return element;
    const bar = document.createElement('div');
    bar.className = 'code-bar';
    const language = document.createElement('span');
    language.textContent = element.getAttribute('data-lang') ?? '';
    const copy = document.createElement('button');
    copy.type = 'button';
    copy.className = 'code-copy';
    copy.textContent = 'Copy';
    copy.setAttribute('aria-label', 'Copy code');
    bar.append(language, copy);
    element.prepend(bar);
    return element;
  }
}

/** The whole text of the code block that an element stands in, across the blocks that it spans. */
export function codeAround(element: Element): string {
  const pieces: string[] = [];
  let block: Element | null = element.closest('.code');
  while (block) {
    pieces.push(block.querySelector('code')?.textContent ?? '');
    const next: Element | null = block.nextElementSibling;
    block = block.classList.contains('code-open') && next?.classList.contains('code-more') ? next : null;
  }
  return pieces.map((piece, at) => (at < pieces.length - 1 && !piece.endsWith('\n') ? `${piece}\n` : piece)).join('');
}
