/**
 * Decides whether the thread follows its end while an answer grows. The reader always wins: any
 * move upwards stops following; reaching the end again, or asking for it, resumes.
 */

/** A scroller's measures, in CSS pixels. */
export interface Measures {
  top: number;
  view: number;
  height: number;
}

/** Nearer to the end than this counts as the end when the reader comes from above. */
const NEAR = 32;

export class Follow {
  following = true;
  #lastTop = 0;

  /** The reader, or we, scrolled. */
  scrolled({ top, view, height }: Measures): void {
    const gap = height - view - top;
    if (gap <= 1 || (top > this.#lastTop && gap <= NEAR)) this.following = true;
    else if (top < this.#lastTop) this.following = false;
    this.#lastTop = top;
  }

  /** The reader means to go up, before anything has moved: a wheel or a key. */
  pushedUp(): void {
    this.following = false;
  }

  /** We wrote the position ourselves: it says nothing about the reader. */
  placed(top: number): void {
    this.#lastTop = top;
  }

  /** The reader asked for the end, or sent something. */
  resume(): void {
    this.following = true;
  }
}

/** The first of the boxes, which stand in order from the top, that ends below an edge. */
export function firstBelow<B extends { getBoundingClientRect(): { bottom: number } }>(
  boxes: ArrayLike<B>,
  edge: number,
): B | undefined {
  let [from, to] = [0, boxes.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (boxes[middle]!.getBoundingClientRect().bottom > edge) to = middle;
    else from = middle + 1;
  }
  return boxes[from];
}

/**
 * Keeps what is being read where it is when something above it changes its height: older messages
 * are put in, or a message that had only an estimated height is laid out. WebKit has no scroll
 * anchoring of its own.
 */
export class Anchor {
  #held: { element: Element; offset: number } | null = null;

  /** Remembers the first of the elements that reaches into the view; they stand in order. */
  hold(scroller: Element, elements: ArrayLike<Element>): void {
    const edge = scroller.getBoundingClientRect().top;
    const element = firstBelow(elements, edge);
    this.#held = element ? { element, offset: element.getBoundingClientRect().top - edge } : null;
  }

  /** How far the remembered element has moved since: add it to the scroller's position. */
  drift(scroller: Element): number {
    if (!this.#held?.element.isConnected) return 0;
    const edge = scroller.getBoundingClientRect().top;
    return this.#held.element.getBoundingClientRect().top - edge - this.#held.offset;
  }
}
