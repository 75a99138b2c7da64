// SPDX-License-Identifier: Apache-2.0
// One bench answers one question with rows; the page docs/limits.md is written from them. Ratios to a peer in the same run
// are what counts; absolute times are this machine's.

export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer?: string;
  readonly ratio?: string;
}

export interface Question {
  readonly title: string;
  readonly how: string;
  readonly rows: readonly Row[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function page(questions: readonly Question[], machine: string, date: string): string {
  const parts = questions.map((question) => {
    const rows = question.rows.map(
      (row) => `| ${row.what} | ${row.ours} | ${row.peer ?? ''} | ${row.ratio ?? ''} |`,
    );
    return `## ${question.title}\n\n${question.how}\n\n| what | Wherry | peer | ratio |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Limits, measured\n\nWritten by \`make bench\` on ${date}, on ${machine}. Absolute times are this machine's; ratios come from commands alternated in one run.\n\n${parts.join('\n')}`;
}
