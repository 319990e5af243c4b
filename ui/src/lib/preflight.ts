/** What is lost of a chat with a model, and the ways out, in words. */
import type { Preflight } from '../bindings/Preflight';
import type { WayOut } from '../bindings/WayOut';
import { count } from './format';
import { tokens } from './money';

/** What stands in the request for each of what the model cannot take. */
const note = (number: number): string => (number === 1 ? 'a note goes in its place' : 'a note goes in the place of each');

const many = (number: number, one: string, more: string): string => `${number === 1 ? 'One' : count(number)} ${number === 1 ? one : more}`;

/** What would be lost, a sentence each. */
export function losses({ too_long, dropped_messages, room, tokens: wanted, images, files, tool_calls }: Preflight): string[] {
  const size = room === null ? '' : ` It has about ${tokens(wanted)} tokens, and the model takes ${tokens(room)} at once.`;
  return [
    too_long && `Your message is too long for this model by itself.${size}`,
    !too_long && dropped_messages > 0 && `${many(dropped_messages, 'message at the beginning of this chat does', 'messages at the beginning of this chat do')} not fit.${size}`,
    images > 0 && `${many(images, 'image', 'images')} cannot be seen by this model; ${note(images)}.`,
    files > 0 && `${many(files, 'file', 'files')} cannot be read by this model; ${note(files)}.`,
    tool_calls > 0 && `${many(tool_calls, 'tool call', 'tool calls')} cannot be passed on as such; what was said in them goes along as text.`,
  ].filter((loss) => typeof loss === 'string');
}

export const WAYS: Record<WayOut, { label: string; about: string }> = {
  summarise: {
    label: 'Sum up the beginning',
    about: 'The in-house model writes a summary, once. Your messages stay as they are.',
  },
  trim: {
    label: 'Leave the beginning out',
    about: 'The model does not see it. Your messages stay as they are.',
  },
  send_anyway: {
    label: 'Send anyway',
    about: 'The model is told in words what it cannot take.',
  },
  choose_another: {
    label: 'Choose another model',
    about: 'Nothing is sent, and your text stays.',
  },
};
