#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes docs/errors.md from the table of codes.

import { codes } from '../../protocol/codes.js';

const head = `# Errors

Every error that a person may have to act on has a code. It is printed by the programs, stands in the logs, and comes
back from devices in their reported conditions. Codes are never renamed. This page is written from
\`protocol/codes/\` by \`make docs\`; a test compares the two.

*Retry*: \`soon\` at once again, \`backoff\` with growing pauses, \`changed\` only after a new desired, \`never\` not by itself.
*Blame*: who can mend it; a rollout's gate counts \`release\` and \`device\`, never \`network\`.

| code | what happened | what to do | retry | blame |
|---|---|---|---|---|
`;
const rows = Object.entries(codes)
  .sort(([a], [b]) => a.localeCompare(b))
  .map(
    ([code, entry]) =>
      `| \`${code}\` | ${entry.about} | ${entry.remedy} | ${entry.retry} | ${entry.blame} |`,
  );
process.stdout.write(`${head}${rows.join('\n')}\n`);
