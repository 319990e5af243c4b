/** What is said about providers: how they are grouped, where each key is, and which wire they speak. */
import type { Endpoint } from '../bindings/Endpoint';
import type { KeyPlace } from '../bindings/KeyPlace';
import type { ProviderId } from '../bindings/ProviderId';
import type { ProviderState } from '../bindings/ProviderState';
import type { Wire } from '../bindings/Wire';
import { isLocal } from './format';

/** The provider under which the cluster in the in-house slot keeps its key. */
export const CLUSTER: ProviderId = 'inhouse-cluster';

export interface EndpointGroup {
  title: string;
  about: string;
  rows: Endpoint[];
}

type States = ReadonlyMap<ProviderId, ProviderState>;

/** The providers as they are listed: known services, programs on this machine, and the person's own. */
export function endpointGroups(endpoints: Endpoint[], states: States): EndpointGroup[] {
  const hosted: EndpointGroup = { title: 'Hosted', about: 'Services that you hold a key for. What you ask their models goes to them.', rows: [] };
  const here: EndpointGroup = { title: 'On this machine', about: 'Programs that run models beside Pilotfish. What you ask them stays here.', rows: [] };
  const own: EndpointGroup = { title: 'Your own', about: 'Any other server or service, by its address.', rows: [] };
  for (const endpoint of endpoints) {
    const state = states.get(endpoint.id);
    const group = !state?.builtin ? own : state.runs_at && isLocal(state.runs_at) ? here : hosted;
    group.rows.push(endpoint);
  }
  return [hosted, here, own];
}

/** Where a key is, as a clause, and whether something is wrong with that. */
export function keyPlace(place: KeyPlace): { text: string; wrong: boolean } {
  switch (place.is) {
    case 'nowhere':
      return { text: 'no key yet', wrong: true };
    case 'keyring':
      return { text: `in ${place.place}`, wrong: false };
    case 'memory':
      return { text: 'in memory, until Pilotfish ends', wrong: false };
    case 'locked':
      return { text: `in ${place.place}, which is locked`, wrong: true };
    case 'lost':
      return { text: 'lost: the keyring no longer holds it; set it again', wrong: true };
    case 'unknown':
      return { text: 'the keyring does not answer', wrong: true };
  }
}

/** A key by its last four characters, as far as they are told. */
export const keyName = (lastFour: string): string => (lastFour ? `····${lastFour}` : '····');

export interface WireChoice {
  wire: Exclude<Wire, 'inhouse'>;
  name: string;
  about: string;
  /** The end of the addresses that are called, after the base. */
  path: string;
}

export const WIRES: readonly WireChoice[] = [
  { wire: 'chat', name: 'Chat Completions', about: 'What most servers and services speak: Ollama, llama-server, vLLM, LM Studio.', path: '/chat/completions' },
  { wire: 'responses', name: 'Responses', about: 'OpenAI’s newer protocol, which keeps what a model thought from answer to answer.', path: '/responses' },
  { wire: 'messages', name: 'Anthropic Messages', about: 'What Claude speaks, and servers that stand in for it.', path: '/messages' },
  { wire: 'gemini', name: 'Gemini', about: 'Google’s own protocol for its Gemini models.', path: '/models/…' },
];

/** Requests carry no more headers of the person’s own. */
export const MOST_HEADERS = 16;
