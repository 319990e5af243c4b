/** How much of what its model can read at once the open chat takes. */
import { modelOf } from '../lib/picker';
import { app } from './app.svelte';
import { thread } from './thread.svelte';

/** The share, 0 to 1 and beyond; null while nobody knows. */
export function fullness(): number | null {
  if (thread.after > 0) return null;
  const usage = thread.messages.findLast(({ view }) => view.usage)?.view.usage;
  const model = modelOf(app.groups, thread.model);
  if (!usage || !model?.context_tokens) return null;
  return ((usage.input_tokens ?? 0) + (usage.output_tokens ?? 0)) / model.context_tokens;
}
