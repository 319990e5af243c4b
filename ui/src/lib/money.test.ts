import { describe, expect, it } from 'vitest';

import { costBasis, costOf, dollars, estimateOf, priceOf, tokens } from './money';

const host = { at: 'host', host: 'api.example.com' } as const;
const cost = { usd: 0.0123, estimated: false, as_of: '2026-11-01' };

describe('sums', () => {
  it('keep the places that a small one needs, and never become nothing', () => {
    expect([12.3, 0.0421, 0.00071, 0.00000001, 0].map(dollars)).toEqual(['$12.30', '$0.042', '$0.0007', 'under $0.0001', '$0']);
  });

  it('of tokens are short', () => {
    expect([0, 950, 1_000, 12_400, 128_000, 999_999, 1_200_000].map(tokens)).toEqual(['0', '950', '1K', '12.4K', '128K', '1M', '1.2M']);
  });

  it('of prices lose no cents', () => {
    expect(priceOf({ input: 3, cached_input: null, cache_write: null, output: 15, as_of: '2026-11-01' })).toBe('$3 / $15');
    expect(priceOf({ input: 0.075, cached_input: null, cache_write: null, output: 0.3, as_of: '2026-11-01' })).toBe('$0.075 / $0.3');
  });
});

describe('a cost', () => {
  it('that nobody knows is called so, and one on this machine is no cost', () => {
    expect(costOf(null, host)).toBe('cost unknown');
    expect(costOf(null, { at: 'in_house' })).toBe(null);
    expect(costOf({ ...cost, usd: 0 }, host)).toBe('free of charge');
  });

  it('says whether it is an estimate, and what it is computed from', () => {
    expect(costOf({ ...cost, estimated: true }, host)).toBe('~$0.012');
    expect(costBasis(cost)).toContain('2026-11-01');
    expect(costBasis({ ...cost, as_of: null })).toBe('As the provider says.');
  });
});

describe('an estimate', () => {
  const one = { model: 'example/large-2', input_tokens: 1_200, output_tokens: 8_000, least: cost, most: { ...cost, usd: 0.25 } };

  it('names the most that it can come to, or what is known of it', () => {
    expect(estimateOf(one, false)).toBe('~1.2K tokens · up to $0.25');
    expect(estimateOf({ ...one, most: null }, false)).toBe('~1.2K tokens · from $0.012');
    expect(estimateOf({ ...one, most: null, least: null }, false)).toBe('~1.2K tokens · price unknown');
  });

  it('has no price where the model runs here', () => {
    expect(estimateOf({ ...one, most: null, least: null }, true)).toBe('~1.2K tokens');
  });
});
