/** The list of conversations, and the search over all that was said in them. */
import type { ConversationId } from '../bindings/ConversationId';
import type { ConversationSummary } from '../bindings/ConversationSummary';
import type { SearchHit } from '../bindings/SearchHit';
import * as ipc from '../ipc';
import { debounce } from '../lib/debounce';
import { dayGroup } from '../lib/format';
import { attempt, toasts } from './toasts.svelte';

const PAGE = 100;
/** The most rows that one call gives. */
const MOST_ROWS = 500;
const MOST_HITS = 50;
const TYPING_PAUSE_MS = 120;

class Conversations {
  list = $state.raw<ConversationSummary[]>([]);
  hasMore = $state(false);
  query = $state('');
  hits = $state.raw<SearchHit[] | null>(null);
  /** Whether the hits answer an earlier query. */
  isStale = $state(false);
  #search = debounce(TYPING_PAUSE_MS, (query: string) => void this.#find(query));

  /** The list under its headings: pinned, then by day. */
  groups = $derived.by(() => {
    const now = Date.now();
    const groups = new Map<string, ConversationSummary[]>([['Pinned', []]]);
    for (const row of this.list) {
      const title = row.pinned ? 'Pinned' : dayGroup(row.updated_at, now);
      const rows = groups.get(title);
      if (rows) rows.push(row);
      else groups.set(title, [row]);
    }
    return [...groups].flatMap(([title, rows]) => (rows.length ? [{ title, rows }] : []));
  });

  begin(first: ConversationSummary[]): void {
    this.list = first;
    this.hasMore = first.length >= PAGE;
    void ipc.onConversationsChanged(() => void this.read());
  }

  /** Reads again as much as is shown. */
  async read(): Promise<void> {
    await attempt(async () => {
      const wanted = Math.max(PAGE, this.list.length);
      const rows: ConversationSummary[] = [];
      let isWhole = false;
      while (rows.length < wanted && !isWhole) {
        const limit = Math.min(MOST_ROWS, wanted - rows.length);
        const page = await ipc.listConversations(rows.length, limit);
        rows.push(...page);
        isWhole = page.length < limit;
      }
      // A row that moved up between two calls comes twice.
      this.list = [...new Map(rows.map((row) => [row.id, row])).values()];
      this.hasMore = !isWhole;
    });
  }

  async more(): Promise<void> {
    if (!this.hasMore) return;
    this.hasMore = false;
    await attempt(async () => {
      const next = await ipc.listConversations(this.list.length, PAGE);
      const known = new Set(this.list.map(({ id }) => id));
      this.list = [...this.list, ...next.filter(({ id }) => !known.has(id))];
      this.hasMore = next.length >= PAGE;
    });
  }

  /** The title as it is now, of a conversation that is listed. */
  titleOf(id: ConversationId): string | undefined {
    return this.list.find((row) => row.id === id)?.title;
  }

  #retitle(id: ConversationId, title: string): void {
    this.list = this.list.map((row) => (row.id === id ? { ...row, title } : row));
  }

  async rename(id: ConversationId, title: string): Promise<void> {
    const wanted = title.trim();
    if (!wanted) return;
    if (await attempt(() => ipc.renameConversation(id, wanted))) this.#retitle(id, wanted);
  }

  async pin({ id, pinned }: ConversationSummary): Promise<void> {
    if (await attempt(() => ipc.pinConversation(id, !pinned))) await this.read();
  }

  /** Puts a conversation into the trash, with a way back; `restored` is told when it was taken. */
  async remove(row: ConversationSummary, restored: () => unknown): Promise<boolean> {
    if (!(await attempt(() => ipc.deleteConversation(row.id)))) return false;
    this.list = this.list.filter(({ id }) => id !== row.id);
    this.hits = this.hits?.filter((hit) => hit.conversation_id !== row.id) ?? null;
    toasts.note(`Deleted “${row.title || 'New chat'}”.`, () => {
      void attempt(async () => {
        await ipc.restoreConversation(row.id);
        await this.read();
        restored();
      });
    });
    return true;
  }

  /** What was typed into the search field. */
  type(query: string): void {
    this.query = query;
    // Hits of other words are no answer to these.
    if (this.hits && query.trim()) this.isStale = true;
    else this.hits = null;
    if (query.trim()) this.#search(query);
  }

  async #find(query: string): Promise<void> {
    await attempt(async () => {
      const hits = await ipc.search(query, MOST_HITS);
      if (query !== this.query) return;
      this.hits = hits;
      this.isStale = false;
    });
  }
}

export const conversations = new Conversations();
