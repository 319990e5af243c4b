import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Later, Stage } from '../dev/stage';
import { conversations } from './conversations.svelte';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => void vi.useRealTimers());

describe('the list', () => {
  it('is read again as far as it is shown, in as many calls as it takes', async () => {
    const many = Array.from({ length: 700 }, (_, at) => ({ id: `c${at}`, title: '', pinned: false, updated_at: 0 }));
    stage.plays['list_conversations'] = ({ offset, limit }) =>
      many.slice(Number(offset), Number(offset) + Math.min(500, Number(limit)));
    conversations.begin(many.slice(0, 620));
    await conversations.read();
    expect([conversations.list.length, conversations.hasMore]).toEqual([620, true]);
    await conversations.more();
    expect([conversations.list.length, conversations.hasMore]).toEqual([700, false]);
  });
});

describe('the search', () => {
  it('shows hits of earlier words as such until the new ones are there', async () => {
    vi.useFakeTimers();
    const later = new Later<unknown[]>();
    stage.plays['search'] = () => [{ conversation_id: 'c', title: 'T', message_id: 'm', snippet: ['a'], created_at: 0 }];
    conversations.type('one');
    await vi.advanceTimersByTimeAsync(200);
    expect([conversations.hits?.length, conversations.isStale]).toEqual([1, false]);
    stage.plays['search'] = () => later.promise;
    conversations.type('two');
    await vi.advanceTimersByTimeAsync(200);
    expect(conversations.isStale).toBe(true);
    later.resolve([]);
    await vi.advanceTimersByTimeAsync(10);
    expect([conversations.hits, conversations.isStale]).toEqual([[], false]);
  });
});
