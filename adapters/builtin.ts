// SPDX-License-Identifier: Apache-2.0
// The commands that every program has: its completion for a shell, its page of the manual, both made from its
// own table. What makes them is loaded only when they are asked for.

import type { Command, Program } from './command.js';
import { programVersion } from './version.js';

const shells = ['bash', 'zsh', 'fish'] as const;

/** The program with its version and the commands `completion` and `man`. */
export function withBuiltins(program: Program, print: (text: string) => void): Program {
  const whole: { program: Program } = { program };
  const completion: Command = {
    name: 'completion',
    about: 'Print the completion script for a shell: bash, zsh or fish',
    args: 'SHELL',
    run: async (parsed) => {
      const [word = ''] = parsed.args;
      const { completionOf } = await import('./completion.js');
      print(completionOf(whole.program, word));
      return 0;
    },
  };
  const man: Command = {
    name: 'man',
    about: "Print this program's page of the manual, for man -l -",
    run: async () => {
      const { manPage } = await import('./man.js');
      print(manPage(whole.program, dateOf(process.env['SOURCE_DATE_EPOCH'])));
      return 0;
    },
  };
  whole.program = {
    ...program,
    version: programVersion(),
    commands: [...program.commands, completion, man],
    choices: { SHELL: shells, ...program.choices },
  };
  return whole.program;
}

/** The day, as reproducible builds set it. */
function dateOf(epoch: string | undefined): string {
  const ms = /^\d{1,11}$/.test(epoch ?? '') ? Number(epoch) * 1000 : Date.now();
  return new Date(ms).toISOString().slice(0, 10);
}
