/** One growing or stored part of a message: holds its blocks and keeps the page in step with them. */
import type { Block } from '../bindings/Block';
import { Blocks, type Patch } from '../lib/blocks';

export class Feed {
  /** Blocks by their place; while a change is not complete, also those that it has yet to reach. */
  #blocks: Block[];
  #tail: Block | null = null;
  #shown: Blocks | null = null;

  constructor(blocks: Block[] = []) {
    this.#blocks = [...blocks];
  }

  patch(patch: Patch): void {
    const { from, append, tail, more = false } = patch;
    const before = this.#blocks.length;
    this.#blocks.splice(from, append.length, ...append);
    if (!more) {
      this.#blocks.length = from + append.length;
      this.#tail = tail;
    } else if (this.#blocks.length > before) {
      this.#tail = null;
    }
    this.#shown?.patch(patch);
  }

  replace(blocks: Block[]): void {
    this.#blocks = [...blocks];
    this.#tail = null;
    this.#shown?.replace(blocks);
  }

  /** Shows the part in an element, from now until the returned function is called. */
  show(host: Element): () => void {
    const shown = new Blocks(host);
    shown.patch({ from: 0, append: this.#blocks, tail: this.#tail });
    this.#shown = shown;
    return () => {
      if (this.#shown === shown) this.#shown = null;
    };
  }
}
