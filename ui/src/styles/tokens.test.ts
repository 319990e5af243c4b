import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

const sheets = ['tokens', 'base'].map((name) => readFileSync(`src/styles/${name}.css`, 'utf8')).join('\n');

/** What a token is in each theme. */
const tokens = new Map(
  [...sheets.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [name!, { light: light!, dark: dark! }]),
);
const selection = sheets.match(/::selection \{\s+background: light-dark\((#\w{6}), (#\w{6})\)/);
tokens.set('selection', { light: selection![1]!, dark: selection![2]! });

/** Relative luminance, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

/** Pairs that fall short in a theme, as sentences. */
function tooFaint(least: number, fronts: string[], backs: string[]): string[] {
  return (['light', 'dark'] as const).flatMap((theme) =>
    fronts.flatMap((front) =>
      backs.flatMap((back) => {
        const [a, b] = [tokens.get(front), tokens.get(back)];
        if (!a || !b) return [`there is no ${a ? back : front}`];
        const ratio = contrast(a[theme], b[theme]);
        return ratio >= least ? [] : [`${front} on ${back}, ${theme}: ${ratio.toFixed(2)}`];
      }),
    ),
  );
}

describe('contrast', () => {
  it('is computed as WCAG does', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
  });

  it('lets every text be read on every surface it stands on', () => {
    const surfaces = ['page', 'side', 'raised', 'sunken', 'hover', 'chosen', 'mark', 'selection'];
    expect(tooFaint(4.5, ['text', 'text-soft', 'text-faint'], surfaces)).toEqual([]);
    expect(tooFaint(4.5, ['accent'], ['page', 'raised', 'sunken', 'accent-wash'])).toEqual([]);
    expect(tooFaint(4.5, ['on-accent'], ['accent', 'accent-strong'])).toEqual([]);
    expect(tooFaint(4.5, ['danger'], ['page', 'raised', 'danger-wash'])).toEqual([]);
    expect(tooFaint(4.5, ['warn'], ['page', 'raised', 'hover', 'warn-wash'])).toEqual([]);
    expect(tooFaint(4.5, ['text', 'text-soft'], ['warn-wash', 'danger-wash', 'accent-wash'])).toEqual([]);
    const code = [...tokens.keys()].filter((name) => name.startsWith('code-'));
    expect(code.length).toBeGreaterThan(5);
    expect(tooFaint(4.5, code, ['raised', 'sunken'])).toEqual([]);
  });

  it('shows where a control ends and where the keys are', () => {
    expect(tooFaint(3, ['control-line', 'accent'], ['page', 'side', 'raised'])).toEqual([]);
  });
});
