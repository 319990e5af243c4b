/** One growing or stored part of a message: holds its blocks and keeps the page in step with them. */
import type { Block } from '../bindings/Block';
import { Blocks, type Patch } from '../lib/blocks';

export class Feed {
  #finished: Block[];
  #tail: Block | null = null;
  #shown: Blocks | null = null;

  constructor(blocks: Block[] = []) {
    this.#finished = blocks;
  }

  patch(patch: Patch): void {
    this.#finished.length = Math.min(this.#finished.length, patch.from);
    this.#finished.push(...patch.append);
    this.#tail = patch.tail;
    this.#shown?.patch(patch);
  }

  replace(blocks: Block[]): void {
    this.#finished = blocks;
    this.#tail = null;
    this.#shown?.replace(blocks);
  }

  /** Shows the part in an element, from now until the returned function is called. */
  show(host: Element): () => void {
    const shown = new Blocks(host);
    shown.patch({ from: 0, append: this.#finished, tail: this.#tail });
    this.#shown = shown;
    return () => {
      if (this.#shown === shown) this.#shown = null;
    };
  }
}
