/** The model picker's rows: what is listed, in which order, and how the keys move through it. */
import type { AppError } from '../bindings/AppError';
import type { Health } from '../bindings/Health';
import type { Model } from '../bindings/Model';
import type { ModelGroup } from '../bindings/ModelGroup';
import type { ModelRef } from '../bindings/ModelRef';
import type { Settings } from '../bindings/Settings';
import { fuzzy } from './fuzzy';

/** A group of the list. The same model may stand in several: each row has an id of its own. */
export interface Section {
  id: string;
  title: string;
  error: AppError | null;
  rows: Row[];
}

export interface Row {
  id: string;
  model: Model;
  /** The provider's name, where the group does not say it. */
  from: string | null;
  favourite: boolean;
  /** How it has fared, when it was asked since the application was started. */
  health: Health | null;
}

type Marks = Pick<Settings, 'favourites' | 'recents'>;

/** What the picker shows for a query. */
export function sections(groups: ModelGroup[], marks: Marks, query: string): Section[] {
  return query.trim() ? found(groups, marks, query) : all(groups, marks);
}

function all(groups: ModelGroup[], marks: Marks): Section[] {
  const known = new Map<ModelRef, { model: Model; from: string; health: Health | null }>();
  for (const group of groups) {
    for (const model of group.models) known.set(model.model, { model, from: group.name, health: healthOf(group, model) });
  }
  const marked = (id: string, title: string, refs: ModelRef[]): Section => ({
    id,
    title,
    error: null,
    rows: refs.flatMap((ref) => {
      const entry = known.get(ref);
      return entry ? [{ id: `${id}:${ref}`, ...entry, favourite: marks.favourites.includes(ref) }] : [];
    }),
  });
  const recents = marks.recents.filter((ref) => !marks.favourites.includes(ref)).slice(0, 4);
  const count = known.size;
  return [
    marked('favourites', 'Favourites', marks.favourites),
    // With few models everything is in sight already.
    marked('recents', 'Recent', count > 8 ? recents : []),
  ]
    .filter(({ rows }) => rows.length > 0)
    .concat(groups.map((group) => ({
      // A provider may bear the name of a section of ours.
      id: `at:${group.provider}`,
      title: group.name,
      error: group.error,
      rows: group.models.map((model) => ({
        id: `at:${group.provider}:${model.model}`,
        model,
        from: null,
        favourite: marks.favourites.includes(model.model),
        health: healthOf(group, model),
      })),
    })));
}

const healthOf = ({ health }: ModelGroup, { model }: Model): Health | null => health.find((one) => one.model === model) ?? null;

function found(groups: ModelGroup[], marks: Marks, query: string): Section[] {
  const hits = groups.flatMap((group) =>
    group.models.flatMap((model) => {
      const score = fuzzy(query, `${model.name} ${model.model} ${group.name}`);
      const favourite = marks.favourites.includes(model.model);
      return score === null
        ? []
        : [{ score: score + (favourite ? 5 : 0), row: { id: `found:${model.model}`, model, from: group.name, favourite, health: healthOf(group, model) } }];
    }),
  );
  hits.sort((a, b) => b.score - a.score);
  return hits.length ? [{ id: 'found', title: 'Found', error: null, rows: hits.map(({ row }) => row) }] : [];
}

/** The row that a key leads to: round the ends with the arrows, to them with Home and End. */
export function step(rows: Row[], active: string | null, key: string): string | null {
  if (rows.length === 0) return null;
  const at = rows.findIndex(({ id }) => id === active);
  const last = rows.length - 1;
  const to: Record<string, number> = {
    ArrowDown: at >= last ? 0 : at + 1,
    ArrowUp: at <= 0 ? last : at - 1,
    Home: 0,
    End: last,
    PageDown: Math.min(last, at + 8),
    PageUp: Math.max(0, at - 8),
  };
  return rows[to[key] ?? at]?.id ?? null;
}

/** A model as its provider lists it. */
export function modelOf(groups: ModelGroup[], ref: ModelRef): Model | undefined {
  for (const { models } of groups) {
    const model = models.find((one) => one.model === ref);
    if (model) return model;
  }
  return undefined;
}

/** A model's name for people, also when its provider does not list it (any more). */
export const nameOf = (groups: ModelGroup[], ref: ModelRef): string =>
  modelOf(groups, ref)?.name ?? (ref.slice(ref.indexOf('/') + 1) || ref);
