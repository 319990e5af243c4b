/**
 * A backend for unit tests: it says what a test tells it to, keeps what was asked, and lets a test
 * hold an answer back, so that what happens meanwhile can be seen.
 */
import type { ConversationId } from '../bindings/ConversationId';
import type { MessageView } from '../bindings/MessageView';
import type { ThreadView } from '../bindings/ThreadView';
import type { TurnEvent } from '../bindings/TurnEvent';
import type { TurnStarted } from '../bindings/TurnStarted';
import { setBackend } from '../ipc';
import { message, question } from './samples';

type Args = Record<string, unknown>;
type Play = (args: Args) => unknown;

/** Lets everything that can go on without the test go on. */
export const settled = (): Promise<void> => new Promise((done) => setTimeout(done));

/** A promise that a test keeps or breaks when it wants to. */
export class Later<T = void> {
  resolve!: (value: T) => void;
  reject!: (thrown: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => Object.assign(this, { resolve, reject }));
}

/** A conversation of so many messages, as pages give it. */
export function branch(id: ConversationId, messages: MessageView[]) {
  return (args: Args): ThreadView => {
    const [before, limit] = [args['before'] as number | null, args['limit'] as number];
    const end = before ?? messages.length;
    const begin = Math.max(0, end - limit);
    return {
      conversation: {
        id,
        title: id,
        title_is_own: false,
        model: `inhouse/${id}`,
        failover: null,
        local_only: false,
        leaf: messages.at(-1)?.id ?? null,
        pinned: false,
        created_at: 0,
        updated_at: 0,
        deleted_at: null,
      },
      messages: messages.slice(begin, end),
      before: begin,
      after: messages.length - end,
    };
  };
}

/** Questions and answers in turn: `q0`, `a0`, `q1`, … under a prefix. */
export const talk = (prefix: string, pairs: number): MessageView[] =>
  Array.from({ length: pairs }, (_, at) => [
    question(`${prefix}-q${at}`, `Question ${at}`),
    message(`${prefix}-a${at}`, {}),
  ]).flat();

export class Stage {
  readonly calls: { command: string; args: Args }[] = [];
  readonly plays: Record<string, Play> = { page_ready: () => undefined };
  readonly #heard = new Map<string, ((payload: never) => void)[]>();

  constructor(plays: Record<string, Play> = {}) {
    Object.assign(this.plays, plays);
    setBackend({
      invoke: async (command, args = {}) => {
        this.calls.push({ command, args });
        const play = this.plays[command];
        if (!play) throw { code: 'unknown', message: `nobody plays ${command}` };
        return (await play(args)) as never;
      },
      channel: (hear) => hear,
      listen: async (event, hear) => {
        this.#heard.set(event, [...(this.#heard.get(event) ?? []), hear]);
        return () => {};
      },
    });
  }

  /** The events that are listened to. */
  get events(): string[] {
    return [...this.#heard.keys()];
  }

  tell(event: string, payload?: unknown): void {
    for (const hear of this.#heard.get(event) ?? []) hear(payload as never);
  }

  count(command: string): number {
    return this.calls.filter((call) => call.command === command).length;
  }

  /** Plays a command that begins a turn: what the turn tells is told through what is returned. */
  turn(command: string, started: TurnStarted, first: Promise<void> = Promise.resolve()): (event: TurnEvent) => void {
    let hear: (event: TurnEvent) => void = () => {};
    this.plays[command] = async ({ channel }) => {
      hear = channel as typeof hear;
      await first;
      return started;
    };
    return (event) => hear(event);
  }
}
