import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { MessageState } from '../bindings/MessageState';
import { ACTION_LABELS, ADVICE, noticeFor, sentence } from './errors';

// The codes as Rust wrote them down: a new one has to be answered here too.
const generated = readFileSync('src/bindings/ErrorCode.ts', 'utf8');
const codes = [...generated.slice(generated.indexOf('export type')).matchAll(/"([a-z_]+)"/g)].map(([, code]) => code!);

describe('errors', () => {
  it('each have a sentence and only actions that have a label', () => {
    expect(codes.length).toBeGreaterThan(15);
    expect(Object.keys(ADVICE).sort()).toEqual([...codes].sort());
    for (const { title, actions } of Object.values(ADVICE)) {
      expect(title).toMatch(/^[A-Z]/);
      for (const action of actions) expect(ACTION_LABELS[action]).toBeTruthy();
    }
  });

  it('offer the way out that fits', () => {
    const error = { code: 'vault_locked' as const, message: 'the keyring is locked' };
    expect(noticeFor('failed', error, false, false)?.actions[0]).toBe('unlock');
    expect(noticeFor('interrupted', null, true, true)?.actions[0]).toBe('continue');
    expect(noticeFor('interrupted', null, false, false)?.actions).toEqual(['retry']);
    expect(noticeFor('cancelled', null, true, true)?.actions).toEqual(['continue']);
  });

  it('offer to go on wherever the application says that it can, and nowhere else', () => {
    const states: MessageState[] = ['complete', 'interrupted', 'failed', 'cancelled'];
    const interrupted = { code: 'interrupted' as const, message: 'the connection broke' };
    for (const state of states) {
      expect(noticeFor(state, interrupted, true, true)?.actions[0]).toBe('continue');
      expect(noticeFor(state, interrupted, false, true)?.actions ?? []).not.toContain('continue');
    }
  });

  it('are shown for every state that is not whole, and for no other', () => {
    const shown = (state: MessageState) => noticeFor(state, null, false, true) !== null;
    expect((['streaming', 'complete'] as const).some(shown)).toBe(false);
    expect((['interrupted', 'failed', 'cancelled'] as const).every(shown)).toBe(true);
  });
});

describe('sentences', () => {
  it('begin with a capital and end with a stop', () => {
    expect(sentence('the host did not answer')).toBe('The host did not answer.');
    expect(sentence('Really?')).toBe('Really?');
    expect(sentence('')).toBe('');
  });

  it('leave a host at the beginning as it is written', () => {
    expect(sentence('api.example.com did not answer')).toBe('api.example.com did not answer.');
  });
});
