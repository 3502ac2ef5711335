/**
 * A mutation: one seeded bug, as exact texts of source files and what stands in their place. It exists only in this harness: a
 * child process whose module loader (`lib/mutant-loader.mjs`) hands out the changed files. Nothing in the sources knows of it.
 *
 * A text that is not found exactly once is an error: a mutation that does not apply any more must not pass for one that was
 * caught.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import type { SimulationOptions } from '@armature/testing';
import { MARK } from './loaded-mutant.js';

/** What of a run the seed does not draw. */
export type RunOptions = Omit<SimulationOptions, 'seed' | 'keepTrace'>;

export interface Edit {
  /** From the workspace's root. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutation extends Edit {
  readonly name: string;
  /** The known trap that it falls into, or the invariant that it breaks. */
  readonly trap: string;
  /** Where one bug is kept out more than once, the other places. */
  readonly also?: Edit | readonly Edit[];
  /** Runs in which it shows sooner than in those of every day. */
  readonly run?: RunOptions;
}

/**
 * Modules to be loaded instead of those at their URLs: compiled, with a mark that tells that they were loaded
 * (`loaded-mutant.ts`).
 */
export type Mutant = Readonly<Record<string, string>>;

/** The texts of the mutated files, by path. Throws where an edit does not apply. */
export function mutatedTexts(root: string, { name, also, ...edit }: Mutation): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of [edit, also ?? []].flat()) {
    const parts = (texts.get(file) ?? readFileSync(join(root, file), 'utf8')).split(find);
    if (parts.length !== 2)
      throw new Error(`mutation ${name}: its text occurs ${parts.length - 1} times in ${file}, not once: ${find}`);
    texts.set(file, parts.join(replace));
  }
  return texts;
}

/** Compiles the mutated files. Throws where an edit does not apply, or does not leave TypeScript. */
export function mutantOf(root: string, mutation: Mutation): Mutant {
  const mark = `globalThis[${JSON.stringify(MARK)}] = ${JSON.stringify(mutation.name)};\n`;
  const modules = [...mutatedTexts(root, mutation)].map(([file, text]) => {
    const { outputText, diagnostics = [] } = ts.transpileModule(text, {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    });
    const [first] = diagnostics;
    if (first !== undefined)
      throw new Error(`mutation ${mutation.name}: ${file}: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}`);
    return [pathToFileURL(join(root, file)).href, mark + outputText] as const;
  });
  return Object.fromEntries(modules);
}
