/** How hard a model is to think, in words. */
import type { Effort } from '../bindings/Effort';
import type { Model } from '../bindings/Model';

export const EFFORT_NAMES: Record<Effort, string> = {
  none: 'No thinking',
  minimal: 'Minimal',
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  xhigh: 'Very high',
  max: 'Maximum',
};

/** What leaves it to the model. */
export const AUTOMATIC = 'Automatic';

export const effortName = (effort: Effort | null): string => (effort ? EFFORT_NAMES[effort] : AUTOMATIC);

/** The wish, where the model offers that; null leaves it to the model. */
export const offered = (model: Model | undefined, wish: Effort | null | undefined): Effort | null =>
  wish && model?.efforts.includes(wish) ? wish : null;
