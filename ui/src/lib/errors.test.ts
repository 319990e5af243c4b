import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { MessageState } from '../bindings/MessageState';
import { ACTION_LABELS, ADVICE, noticeFor, PASSED_OVER, passedOver, sentence, wasSent } from './errors';

// The codes as Rust wrote them down: a new one has to be answered here too.
const generated = readFileSync('src/bindings/ErrorCode.ts', 'utf8');
const codes = [...generated.slice(generated.indexOf('export type')).matchAll(/"([a-z_]+)"/g)].map(([, code]) => code!);

describe('errors', () => {
  it('each have a sentence and only actions that have a label', () => {
    expect(codes.length).toBeGreaterThan(15);
    expect(Object.keys(ADVICE).sort()).toEqual([...codes].sort());
    expect(Object.keys(PASSED_OVER).sort()).toEqual([...codes].sort());
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

  it('put first what the error says is best, once', () => {
    const error = { code: 'not_found' as const, message: 'no such model', action: 'retry' as const };
    expect(noticeFor('failed', error, false, false)?.actions).toEqual(['retry', 'switch-model']);
    const full = { code: 'context_overflow' as const, message: 'too long', action: 'shorten' as const };
    expect(noticeFor('failed', full, false, false)?.actions).toEqual(['shorten', 'switch-model', 'new-chat']);
  });

  it('say until when to wait, counted from the end of the answer, and by which id to ask', () => {
    const error = { code: 'rate_limited' as const, message: 'wait', action: 'wait' as const, retry_after_ms: 20_000, request_id: 'req_1' };
    expect(noticeFor('failed', error, false, false, 1_000)).toMatchObject({ until: 21_000, requestId: 'req_1', actions: ['retry', 'switch-model'] });
    expect(noticeFor('failed', error, false, false)?.until).toBe(null);
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

describe('why another model answered', () => {
  const attempt = (model: string, code: 'overloaded' | 'network') => ({ model, error: { code, message: '' }, at: 0 });
  const name = (model: string) => model.toUpperCase();

  it('is told of each that did not, in order', () => {
    expect(passedOver([], name)).toBe(null);
    expect(passedOver([attempt('a', 'overloaded')], name)).toBe('A was overloaded');
    expect(passedOver([attempt('a', 'overloaded'), attempt('b', 'network'), attempt('c', 'overloaded')], name)).toBe(
      'A was overloaded, B could not be reached and C was overloaded',
    );
  });
});

describe('what left the machine', () => {
  const error = (code: 'local_only' | 'network') => ({ code, message: '' });

  it('is nothing where that was found out before, of every model that was to be asked', () => {
    expect(wasSent(null, [])).toBe(true);
    expect(wasSent(error('network'), [])).toBe(true);
    expect(wasSent(error('local_only'), [])).toBe(false);
    expect(wasSent(error('local_only'), [{ model: 'a/b', error: error('network'), at: 0 }])).toBe(true);
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
