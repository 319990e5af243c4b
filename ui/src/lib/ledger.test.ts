import { describe, expect, it } from 'vitest';

import { ledger } from '../dev/ledger';
import { byDay, costCell, ending, isWanted, sumOf, tokensOf, total } from './ledger';

const [answer] = ledger;

describe('the ledger', () => {
  it('stands under its days, the newest first', () => {
    const days = byDay(ledger);
    expect(days.length).toBeGreaterThan(1);
    expect(days.flatMap(({ entries }) => entries)).toEqual(ledger);
    expect(new Set(days.map(({ day }) => day)).size).toBe(days.length);
  });

  it('is narrowed down by every word, wherever it stands, and by purpose', () => {
    const shown = (query: string, only: 'answer' | 'title' | null = null) => ledger.filter((entry) => isWanted(entry, query, only));
    expect(shown('')).toEqual(ledger);
    expect(shown('EXAMPLE large').every(({ model }) => model === 'large-2')).toBe(true);
    expect(shown('EXAMPLE large').length).toBeGreaterThan(0);
    expect(shown('nowhere')).toEqual([]);
    expect(shown('', 'title').every(({ purpose }) => purpose === 'title')).toBe(true);
  });

  it('tells unknown from nothing, and what was not sent from both', () => {
    const one = answer!;
    expect(costCell({ ...one, cost: null })).toBe('unknown');
    expect(costCell({ ...one, cost: null, purpose: 'list_models' })).toBe('–');
    expect(costCell({ ...one, cost: null, runs_at: { at: 'this_machine' } })).toBe('–');
    expect(costCell({ ...one, outcome: { is: 'refused', code: 'local_only' } })).toBe('not sent');
    expect(tokensOf({ ...one, usage: null })).toBe('–');
    expect(ending({ is: 'ok' })).toBe(null);
    expect(ending({ is: 'refused', code: 'cap_reached' })).toContain('cap');
  });

  it('sums up what is shown, without what was not sent', () => {
    const one = { ...answer!, cost: { usd: 0.5, estimated: false, as_of: null } };
    const sum = total([one, { ...one, cost: null }, { ...one, outcome: { is: 'refused', code: 'local_only' } }]);
    expect([sum.calls, sum.usd, sum.unpriced_calls]).toEqual([2, 0.5, 1]);
    expect(sumOf(sum)).toContain('2 calls');
    expect(sumOf(sum)).toContain('$0.50, and 1 of unknown price');
    expect(sumOf(total([{ ...one, cost: null }]))).toMatch(/ 1 of unknown price$/);
  });
});
