import { describe, expect, it } from 'vitest';

import { groups } from '../dev/samples';
import { fuzzy } from './fuzzy';
import { nameOf, sections, step } from './picker';

const none = { favourites: [], recents: [] };
const found = (query: string) => sections(groups, none, query).flatMap(({ rows }) => rows.map(({ model }) => model.model));

describe('search', () => {
  it('finds by letters in order, across words and marks', () => {
    expect(found('qc15')[0]).toBe('inhouse/default');
    expect(found('llama q8')[0]).toBe('ollama/llama3.2:3b-instruct-q8_0');
    expect(found('reasoner')[0]).toBe('example/reasoner-1');
  });

  it('finds by the provider and by the full name', () => {
    expect(found('ollama')).toHaveLength(3);
    expect(found('workshop/glm')[0]).toBe('workshop/glm-4.5-air');
  });

  it('finds nothing rather than something else', () => {
    expect(found('zzz')).toEqual([]);
  });

  it('puts whole words before scattered letters', () => {
    const whole = fuzzy('mini', 'Example mini-2');
    const scattered = fuzzy('mini', 'medium instruct in italics');
    expect(whole).not.toBeNull();
    expect(scattered).not.toBeNull();
    expect(whole!).toBeGreaterThan(scattered!);
  });
});

describe('the list', () => {
  it('groups by provider, with its error', () => {
    const list = sections(groups, none, '');
    expect(list.map(({ id }) => id)).toEqual(['at:inhouse', 'at:ollama', 'at:workshop', 'at:example']);
    expect(list.find(({ id }) => id === 'at:workshop')?.error?.code).toBe('network');
  });

  it('puts favourites and recents first, each model once among them', () => {
    const marks = { favourites: ['ollama/qwen3:8b', 'gone/model'], recents: ['ollama/qwen3:8b', 'example/mini-2'] };
    const [favourites, recents] = sections(groups, marks, '');
    expect(favourites?.rows.map(({ model }) => model.model)).toEqual(['ollama/qwen3:8b']);
    expect(recents?.rows.map(({ model }) => model.model)).toEqual(['example/mini-2']);
  });

  it('gives every row an id of its own', () => {
    const marks = { favourites: ['inhouse/default'], recents: [] };
    const ids = sections(groups, marks, '').flatMap(({ rows }) => rows.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('names a model that is no longer listed by its own name', () => {
    expect(nameOf(groups, 'inhouse/small')).toBe('SmolLM2 135M');
    expect(nameOf(groups, 'gone/org/model-7')).toBe('org/model-7');
  });
});

describe('keys', () => {
  const rows = sections(groups, none, '').flatMap((section) => section.rows);
  const [first, second] = rows;
  const last = rows.at(-1);

  it('step through all groups and round the ends', () => {
    expect(step(rows, first!.id, 'ArrowDown')).toBe(second!.id);
    expect(step(rows, last!.id, 'ArrowDown')).toBe(first!.id);
    expect(step(rows, first!.id, 'ArrowUp')).toBe(last!.id);
    expect(step(rows, null, 'ArrowDown')).toBe(first!.id);
  });

  it('jump to the ends, and nowhere in an empty list', () => {
    expect(step(rows, second!.id, 'End')).toBe(last!.id);
    expect(step(rows, second!.id, 'Home')).toBe(first!.id);
    expect(step([], null, 'ArrowDown')).toBeNull();
  });
});
