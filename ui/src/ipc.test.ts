import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from 'vitest';

import type { TurnEvent } from './bindings/TurnEvent';
import * as ipc from './ipc';

let calls: { command: string; args: Record<string, unknown> | undefined }[];
let events: string[];

beforeEach(() => {
  [calls, events] = [[], []];
  ipc.setBackend({
    invoke: async (command, args) => void calls.push({ command, args }) as never,
    channel: (hear) => ({ hear }),
    listen: async (event) => (events.push(event), () => {}),
  });
});

describe('the door', () => {
  it('sends arguments under the names that the commands take', async () => {
    await ipc.openThread('c', null, 50);
    await ipc.setKey('example', 's');
    await ipc.saveEndpoint({ id: null, name: 'n', base_url: 'http://h/v1', needs_key: false, wire: 'chat', headers: [] });
    expect(calls).toEqual([
      { command: 'open_thread', args: { conversationId: 'c', before: null, limit: 50 } },
      { command: 'set_key', args: { provider: 'example', secret: 's' } },
      { command: 'save_endpoint', args: { draft: { id: null, name: 'n', base_url: 'http://h/v1', needs_key: false, wire: 'chat', headers: [] } } },
    ]);
  });

  it('gives every turn a channel of its own', async () => {
    const heard: TurnEvent[] = [];
    await ipc.sendMessage({ conversation_id: null, text: 't', model: null, effort: null }, (event) => heard.push(event));
    const { channel } = calls[0]!.args as { channel: { hear: (event: TurnEvent) => void } };
    channel.hear({ type: 'finished', message_id: 'm' });
    expect(heard).toEqual([{ type: 'finished', message_id: 'm' }]);
  });

  it('calls exactly the commands that the windows are permitted', async () => {
    const permitted = ['main', 'quick'].flatMap((window) => {
      const file = readFileSync(`../src-tauri/permissions/${window}.toml`, 'utf8');
      return [...file.slice(file.indexOf('commands.allow')).matchAll(/"([a-z_]+)"/g)].map(([, command]) => command!);
    });
    const source = readFileSync('src/ipc.ts', 'utf8');
    const called = [...source.matchAll(/(?:call(?:<[^(]*>)?|turn)\(\s*'([a-z_]+)'/g)].map(([, command]) => command!);
    expect([...new Set(called)].sort()).toEqual([...new Set(permitted)].sort());
  });

  it('makes an error of the closed set from whatever was thrown', () => {
    const known = { code: 'auth', message: 'set another key' };
    expect(ipc.asAppError(known)).toBe(known);
    expect(ipc.asAppError(new Error('boom'))).toEqual({ code: 'unknown', message: 'boom' });
    expect(ipc.asAppError('plain')).toEqual({ code: 'unknown', message: 'plain' });
  });

  it('hears events by their names', async () => {
    await ipc.onSummoned(() => {});
    await ipc.onOpenConversation(() => {});
    expect(events).toEqual(['summoned', 'open-conversation']);
  });
});
