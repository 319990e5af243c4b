import { describe, expect, it } from 'vitest';

import type { Health } from '../bindings/Health';
import type { Model } from '../bindings/Model';
import { groups } from '../dev/samples';
import { details, facts, trouble } from './facts';

const model: Model = groups.find(({ provider }) => provider === 'example')!.models[0]!;
const well: Health = { model: model.model, first_token_ms: 820, error: null, limited_until: null, at: 0 };

describe('how a model fares', () => {
  it('is told only where something is wrong', () => {
    expect(trouble({ model, health: null }, 0)).toBe(null);
    expect(trouble({ model, health: well }, 0)).toBe(null);
    expect(trouble({ model, health: { ...well, error: { code: 'overloaded', message: 'busy' } } }, 0)).toBe('was overloaded');
  });

  it('says what may not be asked while nothing may leave the machine', () => {
    expect(trouble({ model, health: well }, 0, true)).toBe('not while local only');
    expect(trouble({ model: { ...model, runs_at: { at: 'this_machine' } }, health: null }, 0, true)).toBe(null);
  });

  it('names the end of a limit, until that is over', () => {
    const limited = { ...well, limited_until: 60_000 };
    expect(trouble({ model, health: limited }, 0)).toMatch(/^limited until \d\d:\d\d$/);
    expect(trouble({ model, health: limited }, 60_000)).toBe(null);
  });
});

describe('what is known of a model', () => {
  it('is all in two lines', () => {
    const [can, fares] = details({ model, health: { ...well, error: { code: 'network', message: 'the cable is out' } } });
    expect(can).toContain('200K context');
    expect(can).toContain('effort Low to High');
    expect(fares).toContain('for a million tokens in / out (2026-11-01)');
    expect(fares).toContain('first word after 820 ms');
    expect(fares).toContain('The cable is out.');
  });

  it('says what is not known, and no price of what runs here', () => {
    const bare: Model = { ...model, context_tokens: null, output_tokens: null, images: false, files: false, tools: false, efforts: [], price: null };
    expect(details({ model: bare, health: null })).toEqual(['Nothing more is known of this model.', 'price unknown']);
    expect(details({ model: { ...bare, runs_at: { at: 'in_house' } }, health: null })[1]).toBe('');
    expect(facts({ model: bare, health: null })).toBe('');
  });
});
