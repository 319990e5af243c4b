/** Finds names by a few of their letters, in order: `qc15` finds `Qwen2.5-Coder-1.5B`. */

const isBoundary = (text: string, at: number): boolean =>
  at === 0 || !/[a-z0-9]/i.test(text[at - 1] ?? '') || (/\d/.test(text[at] ?? '') && !/\d/.test(text[at - 1] ?? ''));

/** How well a word fits a text: higher is better, null is not at all. */
function scoreWord(word: string, text: string, lower: string): number | null {
  const whole = lower.indexOf(word);
  if (whole >= 0) return 100 + (isBoundary(text, whole) ? 50 : 0) - Math.min(whole, 40);
  let score = 0;
  let from = 0;
  let previous = -2;
  for (const letter of word) {
    const at = lower.indexOf(letter, from);
    if (at < 0) return null;
    score += at === previous + 1 ? 4 : isBoundary(text, at) ? 3 : 0;
    score -= Math.min(at - from, 6) * 0.5;
    previous = at;
    from = at + 1;
  }
  return score;
}

/** How well a query's words fit a text, in any order; null when one of them does not fit. */
export function fuzzy(query: string, text: string): number | null {
  const lower = text.toLowerCase();
  let total = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const score = scoreWord(word, text, lower);
    if (score === null) return null;
    total += score;
  }
  return total;
}
