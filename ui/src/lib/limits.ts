/** How much a person may write at once; the engine refuses the same. */
import { bytes, byteLength } from './format';

/** A message takes at most 1 MiB of UTF-8. */
export const MOST_BYTES = 1_048_576;
/** A pasted or dropped text beyond this is not even put into the field: laying it out would freeze the window. */
const MOST_PASTED = 4 * MOST_BYTES;

/** What is wrong with the length of a text, or null. */
export function tooLong(text: string): string | null {
  // No text of fewer characters can be too long: a UTF-16 unit takes three bytes at most.
  if (text.length * 3 <= MOST_BYTES) return null;
  const size = byteLength(text);
  return size <= MOST_BYTES
    ? null
    : `This message has ${bytes(size)}; at most ${bytes(MOST_BYTES)} can be sent. Shorten it, or send it in pieces. Your text stays here.`;
}

/** Keeps a paste or a drop that is far too large out of a field; says so, or gives null. */
export function keepOut(event: ClipboardEvent | DragEvent): string | null {
  const brought = 'clipboardData' in event ? event.clipboardData : event.dataTransfer;
  const size = brought?.getData('text/plain').length ?? 0;
  if (size <= MOST_PASTED) return null;
  event.preventDefault();
  return refusedPaste(size);
}

/** What is said when a paste was kept out. */
const refusedPaste = (length: number): string =>
  `That text has about ${bytes(length)}; a message takes at most ${bytes(MOST_BYTES)}. It was not put in: nothing else was changed.`;
