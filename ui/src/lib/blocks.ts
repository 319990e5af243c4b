/**
 * Puts a part's blocks into the page. This is the one place where HTML enters the document, and it
 * goes around the framework. Blocks stand at places: one whose HTML is the same stays as it is, one
 * that differs is exchanged where it stands, and what is left over goes only when a change is
 * complete, so that an answer never collapses and grows again. The HTML is made safe by the
 * renderer in Rust.
 */
import type { Block } from '../bindings/Block';

/** What a turn says about a part: keep `from` blocks, append, then show the tail. */
export interface Patch {
  from: number;
  append: Block[];
  tail: Block | null;
  /** Whether another patch of the same change follows at once. */
  more?: boolean;
}

/** What is shown at a place. */
interface Shown {
  html: string;
  /** The block's element; of code that goes on from the block before, its `pre` in the box of that. */
  element: Element;
  /** The code block that it begins or belongs to. */
  run: Element | null;
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
  readonly #shown: Shown[] = [];
  #finished = 0;

  /** Takes over the element, whatever it holds. */
  constructor(host: Element) {
    this.#host = host;
    host.replaceChildren();
  }

  /** How many finished blocks are shown. */
  get length(): number {
    return this.#finished;
  }

  /** Applies one patch of a growing part. */
  patch({ from, append, tail, more = false }: Patch): void {
    append.forEach(({ html }, at) => this.#put(from + at, html));
    this.#finished = from + append.length;
    if (more) return;
    if (tail) this.#put(this.#finished, tail.html);
    this.#truncate(this.#finished + (tail ? 1 : 0));
  }

  /** Shows exactly these blocks, all finished. Those that are shown already stay as they are. */
  replace(blocks: Block[]): void {
    this.patch({ from: 0, append: blocks, tail: null });
  }

  #put(at: number, html: string): void {
    const old = this.#shown[at];
    if (old?.html === html) return;
    const element = toElement(html);
    const before = element.classList.contains('code-more') ? this.#shown[at - 1]?.run : null;
    const goesOn = old?.run !== null && old?.run !== old?.element;
    if (old && goesOn === Boolean(before) && exchangeCode(old, element)) {
      old.html = html;
    } else if (old && !goesOn && !before && (!old.run || this.#shown[at + 1]?.run !== old.run)) {
      old.element.replaceWith(element);
      this.#shown[at] = { html, element, run: dressed(element) };
    } else {
      this.#truncate(at);
      this.#shown.push(this.#append(html, element, before ?? null));
    }
  }

  /** Appends a block; code that goes on does so in the box that it began in. */
  #append(html: string, element: Element, before: Element | null): Shown {
    const code = before && element.querySelector('pre');
    if (code) {
      before.querySelector('.code-scroll')?.append(code);
      return { html, element: code, run: before };
    }
    this.#host.append(element);
    return { html, element, run: dressed(element) };
  }

  #truncate(to: number): void {
    while (this.#shown.length > to) this.#shown.pop()?.element.remove();
  }
}

/** Exchanges the lines of a code block for another's and leaves its boxes, which may be scrolled. */
function exchangeCode({ element, run }: Shown, next: Element): boolean {
  const lines = element.querySelector('code');
  const nextLines = next.querySelector('code');
  const isCode = run && next.classList.contains('code') && lines && nextLines;
  if (!isCode || run.getAttribute('data-lang') !== next.getAttribute('data-lang')) return false;
  let same = 0;
  while (lines.childNodes[same]?.isEqualNode(nextLines.childNodes[same] ?? null)) same += 1;
  while (lines.childNodes.length > same) lines.lastChild?.remove();
  lines.append(...[...nextLines.childNodes].slice(same));
  return true;
}

/**
 * Gives code blocks their bar, with the language and the copy button, and the box that scrolls
 * sideways. Says which code block the element is, when it is one.
 */
function dressed(element: Element): Element | null {
  const isCode = element.classList.contains('code');
  const all = isCode ? [element] : [...element.querySelectorAll('.code')];
  for (const code of all) {
    // Whatever follows goes into the same box.
    code.classList.remove('code-open');
    const bar = document.createElement('div');
    bar.className = 'code-bar';
    const language = document.createElement('span');
    language.textContent = code.getAttribute('data-lang') ?? '';
    const copy = document.createElement('button');
    copy.type = 'button';
    copy.className = 'code-copy';
    copy.textContent = 'Copy';
    copy.setAttribute('aria-label', 'Copy code');
    bar.append(language, copy);
    const scroll = document.createElement('div');
    scroll.className = 'code-scroll';
    scroll.append(...code.childNodes);
    code.append(bar, scroll);
  }
  return isCode ? element : null;
}

/** The whole text of the code block that an element stands in. */
export function codeAround(element: Element): string {
  const pieces = element.closest('.code')?.querySelectorAll('code') ?? [];
  return [...pieces].map(({ textContent }) => textContent).join('');
}
