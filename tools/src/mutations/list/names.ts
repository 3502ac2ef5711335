/** Names: one process has a name, and a node whose name was used twice keeps what it has. */
import type { Mutation } from '../mutation.js';
import { NAMES_USED_TWICE } from './runs.js';

const PRESENCE = 'packages/server/src/presence.ts';
const IDENTITY = 'packages/server/src/store-identity.ts';

export const names: readonly Mutation[] = [
  {
    name: 'name-not-asked-for',
    trap: 'a process starts under a name without asking whether another one has it',
    file: PRESENCE,
    find: 'this.#check(await this.#ask(own, PATIENCE_MS));',
    replace: '',
    also: {
      file: PRESENCE,
      find: '      this.#check(answer);\n    if (this.#lost !== undefined) throw this.#lost;',
      replace: '      void answer;\n    this.#lost = undefined;',
    },
    run: NAMES_USED_TWICE,
  },
  {
    name: 'older-gives-way',
    trap: 'of two processes of one name the one that was there first ends',
    file: 'packages/server/src/name-claim.ts',
    find: '? olderMs > 0 : other.session',
    replace: '? olderMs < 0 : other.session',
    run: NAMES_USED_TWICE,
  },
  {
    name: 'namesakes-both-stay',
    trap: 'two processes of one name that hear of each other both go on',
    file: PRESENCE,
    find: "if (judge(this.#own(), answer) === 'stays') this.#lose(answer);",
    replace: "if (judge(this.#own(), answer) === 'stays' && !this.#isUp) this.#lose(answer);",
    run: NAMES_USED_TWICE,
  },
  {
    name: 'namesake-is-believed',
    trap: 'a node discards its store because another process of its name has said that its own is lost',
    file: IDENTITY,
    find: 'if (this.#hasServed && (other !== undefined || stated !== undefined)) {',
    replace: 'if (this.#stopped && (other !== undefined || stated !== undefined)) {',
    run: NAMES_USED_TWICE,
  },
];
