/** One file that a server needs, as `signet config` prints it. */
export interface ConfigFile {
  /** What `--part` calls it. */
  readonly part: string;
  /** Where it goes. */
  readonly path: string;
  /** What it does, half a sentence. */
  readonly purpose: string;
  readonly text: string;
}

/** All of them, each under a line that says where it goes. */
export function pageOf(files: readonly ConfigFile[]): string {
  return files.map(({ path, purpose, text }) => `# ---- ${path}: ${purpose}\n${text}`).join('\n');
}
